import SIMDKernels
import VL2Quant

/// Divides a number of bytes between what is always held, what a stage needs for a while, and the slots for
/// experts, which get the rest.
package final class MemoryBudget {
  package let bytes: Int
  /// Bytes of the process when the model was opened, and what it will take besides.
  private let fixed: Int
  /// Every section that is held as a whole (routed experts are not), except the tower's, the projector's and
  /// an embedding that is read row by row.
  private let decoderBytes: Int
  private let visionBytes: Int
  /// The most bytes of two consecutive sections of the tower: one in use, one being read.
  private let visionWindow: Int
  private let weights: Weights
  private let store: SlotExpertStore
  private let ledger: ByteLedger
  /// Gives up something that is kept only in case it is wanted again; returns whether there was anything.
  package var reclaim: (Shortage) -> Bool = { _ in false }

  /// What memory is short for.
  package enum Shortage {
    /// Slots for experts, before which everything goes but the tiles that a camera's next picture is compared with: they are
    /// as large as a few slots, and save most of the tower's work.
    case slots
    /// The work at hand, before which those go too.
    case work
  }

  /// What is not counted: heap that malloc does not give back, stacks, small things.
  static let margin = 12 << 20

  package init(bytes: Int, fixed: Int, weights: Weights, store: SlotExpertStore, ledger: ByteLedger) {
    self.bytes = bytes
    self.weights = weights
    self.store = store
    self.ledger = ledger
    let file = weights.file
    let tokenizer = file.manifest.sections.first { $0.name == ModelLayout.tokenizer }?.rawLength ?? 0
    self.fixed = fixed + Self.margin + tokenizer + ReadQueue.stagingBytes(file)
    var (decoder, vision, window, before) = (0, 0, 0, 0)
    for entry in file.manifest.sections where ResidentSections.holds(entry) {
      if entry.name == "embedding" && entry.encoding == .raw { continue }
      let room = ReadQueue.room(entry)
      if entry.name.hasPrefix("vision.") || entry.name == "projector" {
        vision += room
        window = max(window, before + room)
        before = room
      } else {
        decoder += room
      }
    }
    (decoderBytes, visionBytes, visionWindow) = (decoder, vision, window)
  }

  /// The smallest budget that works.
  ///
  /// - Parameters:
  ///   - decoding: bytes that a short question needs besides the weights.
  ///   - encoding: bytes that one tile needs besides the weights.
  package func smallest(decoding: Int, encoding: Int) -> Int {
    fixed + decoderBytes + max(decoding + store.slotBytes, encoding + visionWindow)
  }

  /// Makes room for the tower. The decoder's weights that were read already stay in memory.
  ///
  /// - Parameter working: bytes that encoding needs besides the weights.
  /// - Throws: `MemoryBudgetError.request`.
  package func makeRoomForTower(working: Int) throws {
    // The tower stays only where all expert slots fit beside it: otherwise it would take the place of experts
    // that every token wants.
    func spare() -> Int { bytes - fixed - decoderBytes - visionBytes - working - ledger.bytes }
    while spare() < store.slotBytes * store.mostSlots, reclaim(.slots) {}
    weights.keepsTower = spare() >= store.slotBytes * store.mostSlots
    let tower = weights.keepsTower ? visionBytes : visionWindow
    let held = weights.keepsTower ? decoderBytes : weights.residentBytes
    func rest() -> Int { bytes - fixed - held - tower - working - ledger.bytes }
    while rest() < 0, reclaim(.work) {}
    guard rest() >= 0 else { throw MemoryBudgetError.request(bytes: bytes, needed: bytes - rest()) }
    store.resize(to: min(store.capacity, rest() / store.slotBytes))
  }

  /// Makes room for sending rows through the decoder.
  ///
  /// - Parameter working: bytes that the rows need besides the weights, growing caches included.
  /// - Throws: `MemoryBudgetError.request`.
  package func makeRoomForDecoder(working: Int) throws {
    let tower = weights.keepsTower ? visionBytes : 0
    func rest() -> Int { bytes - fixed - decoderBytes - tower - working - ledger.bytes }
    while rest() < store.slotBytes * store.mostSlots, reclaim(.slots) {}
    while rest() < store.slotBytes, reclaim(.work) {}
    guard rest() >= store.slotBytes else {
      throw MemoryBudgetError.request(bytes: bytes, needed: bytes - rest() + store.slotBytes)
    }
    store.resize(to: rest() / store.slotBytes)
  }

  /// Bytes that are left for a conversation's cache when one slot and `working` bytes are taken.
  package func largestCache(working: Int) -> Int {
    max(0, bytes - fixed - decoderBytes - working - ledger.bytes - store.slotBytes)
  }
}

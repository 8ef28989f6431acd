/// Slots of memory that experts are read into. This class knows which expert is in which slot or is being
/// read into it. `SlotExpertStore` decides which expert to read and which one to evict for it.
final class ExpertSlots {
  /// Which slot each expert is in, including experts that are still being read.
  var table: SlotTable
  /// Slots that may be in use.
  var capacity: Int
  /// By slot: whether its expert was prefetched and has not been wanted yet.
  private(set) var isGuessed: [Bool]
  let bytes: Int

  private let queue: ReadQueue
  private let memory: PageRegion
  private var free: [Int]
  /// By slot: the read into it, until it is found to be done.
  private var loads: [SectionLoad?]
  /// Dropped slots that are still being read into.
  private var cancelling: [(slot: Int, load: SectionLoad)] = []

  /// - Parameter bytes: the size of a slot.
  /// - Throws: `MemoryError` where the system refuses the address space.
  init(_ table: SlotTable, bytes: Int, reading queue: ReadQueue) throws {
    self.table = table
    self.bytes = bytes
    self.queue = queue
    memory = try PageRegion(bytes: table.slots * bytes)
    capacity = table.slots
    free = Array((0..<table.slots).reversed())
    loads = .init(repeating: nil, count: table.slots)
    isGuessed = .init(repeating: false, count: table.slots)
  }

  /// Slots that hold or will hold an expert.
  var used: Int { table.slots - free.count }

  /// Slots that were filled by guesses, including dropped ones that are still being read into.
  var guesses: Int { isGuessed.count { $0 } + cancelling.count }

  /// The first slot's bytes.
  var base: UnsafeMutableRawPointer { memory.base }

  /// An empty slot; nil where there is none or no more slots may be in use.
  func takeFree() -> Int? { used < capacity ? free.popLast() : nil }

  /// Begins to read an expert into a slot, in place of the expert that was there.
  func read(_ id: Int, section: Int, into slot: Int, guessed: Bool) {
    table.put(id, in: slot)
    isGuessed[slot] = guessed
    loads[slot] = queue.load(section, into: memory.base + slot * bytes, urgent: !guessed)
  }

  /// Whether a slot's expert has been read.
  ///
  /// - Throws: the error that made its read fail; the slot is then empty.
  func isReady(_ slot: Int) throws -> Bool {
    guard let load = loads[slot] else { return true }
    do {
      guard try queue.isDone(load) else { return false }
    } catch {
      drop(slot)
      throw error
    }
    loads[slot] = nil
    return true
  }

  /// Waits until a slot's expert has been read.
  ///
  /// - Throws: the error that made its read fail; the slot is then empty.
  func wait(for slot: Int) throws {
    guard let load = loads[slot] else { return }
    do {
      try queue.wait(for: load)
    } catch {
      drop(slot)
      throw error
    }
    loads[slot] = nil
  }

  /// Tells that the expert in a slot is wanted now. Returns whether it was prefetched; nil where its read had
  /// failed, and the slot is then empty.
  func want(_ slot: Int) -> Bool? {
    guard let isReady = try? isReady(slot) else { return nil }
    if !isReady, let load = loads[slot] { queue.hurry(load) }
    defer { isGuessed[slot] = false }
    return isGuessed[slot]
  }

  /// Whether a slot's expert has been read, so that nothing is being read into the slot any more.
  func isSettled(_ slot: Int) -> Bool {
    guard let load = loads[slot] else { return true }
    guard (try? queue.isDone(load)) ?? false else { return false }
    loads[slot] = nil
    return true
  }

  /// Takes a slot with an expert that was prefetched in vain, to use it for another one. Returns false where
  /// something is still being read into it.
  func takeGuessed(_ slot: Int) -> Bool {
    if let load = loads[slot] {
      guard (try? queue.isDone(load)) ?? true else { return false }
      loads[slot] = nil
    }
    isGuessed[slot] = false
    return true
  }

  /// Cancels the read into a slot and waits until it has ended.
  func cancelRead(_ slot: Int) {
    if let load = loads[slot] { _ = queue.cancel(load, waiting: true) }
    loads[slot] = nil
  }

  /// Empties a slot. Where something is being read into it, the slot becomes free once that read has ended.
  func drop(_ slot: Int) {
    table.clear(slot)
    isGuessed[slot] = false
    if let load = loads[slot], !queue.cancel(load) {
      cancelling.append((slot, load))
    } else {
      free.append(slot)
    }
    loads[slot] = nil
  }

  /// Frees the dropped slots that nothing is being read into any more.
  ///
  /// - Parameter waiting: whether to wait until all of them can be freed.
  func freeDropped(waiting: Bool) {
    cancelling.removeAll { slot, load in
      guard queue.cancel(load, waiting: waiting) else { return false }
      free.append(slot)
      return true
    }
  }

  /// Empties a slot and gives its memory back to the system.
  func empty(_ slot: Int) {
    cancelRead(slot)
    table.clear(slot)
    isGuessed[slot] = false
    // At the front, where it is taken last.
    free.insert(slot, at: 0)
    memory.release(slot * bytes..<(slot + 1) * bytes)
  }
}

/// Slots of memory that experts are read into. It knows which expert is in which slot, or on its way there; which one
/// to read, and whose place it takes, is for `SlotExpertStore` to say.
final class ExpertSlots {
  /// Where experts are, those on their way included.
  var table: SlotTable
  /// Slots that may be in use.
  var capacity: Int
  /// Slots whose expert was prefetched, and has not been wanted yet.
  private(set) var isGuessed: [Bool]
  let bytes: Int

  private let queue: ReadQueue
  private let memory: PageRegion
  private var free: [Int]
  /// Reads on their way into a slot, or done and not looked at since.
  private var loads: [SectionLoad?]
  /// Slots that nobody wants and a read still goes into.
  private var cancelling: [(slot: Int, load: SectionLoad)] = []

  /// - Parameter bytes: of a slot.
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

  /// Slots that experts were guessed into, those that were dropped and are still read into included.
  var guesses: Int { isGuessed.count { $0 } + cancelling.count }

  /// The first slot's bytes.
  var base: UnsafeMutableRawPointer { memory.base }

  /// A slot in which nothing is, where one more may be in use.
  func takeFree() -> Int? { used < capacity ? free.popLast() : nil }

  /// Begins to read an expert into a slot; what was there is gone.
  func read(_ id: Int, section: Int, into slot: Int, guessed: Bool) {
    table.put(id, in: slot)
    isGuessed[slot] = guessed
    loads[slot] = queue.load(section, into: memory.base + slot * bytes, urgent: !guessed)
  }

  /// Whether a slot's expert is there.
  ///
  /// - Throws: what made its read fail; the slot is then empty.
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

  /// Waits until a slot's expert is there.
  ///
  /// - Throws: what made its read fail; the slot is then empty.
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

  /// An expert is wanted. Returns whether it was prefetched, nil where its read had failed: the slot is
  /// then empty.
  func want(_ slot: Int) -> Bool? {
    guard let isReady = try? isReady(slot) else { return nil }
    if !isReady, let load = loads[slot] { queue.hurry(load) }
    defer { isGuessed[slot] = false }
    return isGuessed[slot]
  }

  /// Whether nothing is being read into a slot, and its expert is there.
  func isSettled(_ slot: Int) -> Bool {
    guard let load = loads[slot] else { return true }
    guard (try? queue.isDone(load)) ?? false else { return false }
    loads[slot] = nil
    return true
  }

  /// Takes a slot whose expert was prefetched in vain for another one, unless something is still being read into it.
  func takeGuessed(_ slot: Int) -> Bool {
    if let load = loads[slot] {
      guard (try? queue.isDone(load)) ?? true else { return false }
      loads[slot] = nil
    }
    isGuessed[slot] = false
    return true
  }

  /// Ends what is being read into a slot, and waits for the end.
  func cancelRead(_ slot: Int) {
    if let load = loads[slot] { _ = queue.cancel(load, waiting: true) }
    loads[slot] = nil
  }

  /// Empties a slot; where something is read into it, as soon as that has ended.
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

  /// Frees slots that were dropped, as far as nothing is read into them any more.
  ///
  /// - Parameter waiting: wait until that is so of all.
  func freeDropped(waiting: Bool) {
    cancelling.removeAll { slot, load in
      guard queue.cancel(load, waiting: waiting) else { return false }
      free.append(slot)
      return true
    }
  }

  /// Empties a slot and gives its memory back.
  func empty(_ slot: Int) {
    cancelRead(slot)
    table.clear(slot)
    isGuessed[slot] = false
    // Where it is taken last.
    free.insert(slot, at: 0)
    memory.release(slot * bytes..<(slot + 1) * bytes)
  }
}

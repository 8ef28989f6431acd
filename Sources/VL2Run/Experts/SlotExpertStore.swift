import VL2Quant

/// Experts in a fixed number of slots of our own memory, each read when it is wanted or expected and kept until
/// another needs its place.
package final class SlotExpertStore: ExpertStore {
  /// What a store was asked for and what it had.
  package struct Counts: Sendable {
    /// Experts that layers wanted.
    package var touched = 0
    /// Of those, in memory already.
    package var hits = 0
    /// Of those, read or on their way since they were expected.
    package var expected = 0
    /// Experts that were guessed for tokens, and of those the right ones.
    package var guesses = 0
    package var rightGuesses = 0
    package var secondsWaited = 0.0

    /// Of those touched, read when they were wanted.
    package var misses: Int { touched - hits - expected }
  }

  package private(set) var counts = Counts()
  package let slotBytes: Int
  /// Slots that may be in use.
  package private(set) var capacity: Int

  private let weights: Weights
  private let queue: ReadQueue
  private let memory: HeldMemory
  private let firstSection: [Int]
  private let experts: Int
  private var table: SlotTable
  private var templates: [GatedWeights?]
  private var free: [Int]
  /// Reads on their way into a slot.
  private var loads: [SectionLoad?]
  /// Slots whose expert was expected and not yet wanted.
  private var isGuessed: [Bool]
  private var isPinned: [Bool]
  private var pinned: [Int] = []
  /// Slots that nobody wants and a read still goes into.
  private var leaving: [(slot: Int, load: SectionLoad)] = []

  private var layer = 0
  private var wanted: [Int] = []
  private var isGiven: [Bool] = []
  private var firstLeft = 0
  private var inOrder = false
  /// Whether the rows at work are a prompt's, which wants nearly all experts of each layer once.
  private var isPrompt = false
  /// By id: wanted by the layer at work and not given yet.
  private var isNeeded: [Bool]
  private var expectedLayer = -1
  private var expectedIDs: [Int] = []
  private var expectationIsCertain = false

  /// - Parameters:
  ///   - slots: slots that there may ever be; at least 1.
  /// - Throws: `MemoryError` where the system refuses the address space.
  package init(
    _ weights: Weights, reading queue: ReadQueue, slots: Int, policy: ReplacementPolicy
  ) throws {
    self.weights = weights
    self.queue = queue
    let language = weights.config.language
    let (layers, experts) = (language.layers, language.routing?.experts ?? 0)
    self.experts = experts
    firstSection = (0..<layers).map { weights.file.section("layer.\($0).expert.0") ?? -1 }
    slotBytes = Self.slotBytes(weights.file)
    let all = firstSection.count { $0 >= 0 } * experts
    let slots = max(1, min(slots, all))
    memory = try HeldMemory(bytes: slots * slotBytes)
    table = SlotTable(layers: layers, experts: experts, slots: slots, policy: policy)
    capacity = slots
    templates = .init(repeating: nil, count: layers * experts)
    free = Array((0..<slots).reversed())
    loads = .init(repeating: nil, count: slots)
    isGuessed = .init(repeating: false, count: slots)
    isPinned = .init(repeating: false, count: slots)
    isNeeded = .init(repeating: false, count: layers * experts)
  }

  /// Bytes of a slot: the largest expert, up to whole pages of any size that systems have.
  package static func slotBytes(_ file: PackedFile) -> Int {
    let largest =
      file.manifest.sections.filter { $0.name.contains(".expert.") }.map(ReadQueue.room).max() ?? 0
    return (largest + 0xFFFF) & ~0xFFFF
  }

  /// Slots that there may ever be.
  package var mostSlots: Int { table.slots }

  /// Slots that hold or will hold an expert.
  package var used: Int { table.slots - free.count }

  // MARK: ExpertStore

  package let readsAhead = true

  package func begin(layer: Int, experts: [(expert: Int, rows: Int)], rows: Int, inOrder: Bool) throws {
    unpin()
    for id in wanted { isNeeded[id] = false }
    self.layer = layer
    self.inOrder = inOrder
    isPrompt = inOrder || rows > Decoder.guessedRows
    wanted = experts.map { table.id(layer: layer, expert: $0.expert) }
    isGiven = .init(repeating: false, count: wanted.count)
    firstLeft = 0
    for id in wanted { isNeeded[id] = true }
    table.use(layer: layer, experts, rows: rows)
    meetExpectation()
    counts.touched += wanted.count
    for id in wanted {
      guard let slot = table.slot(of: id) else { continue }
      let wasGuessed = isGuessed[slot]
      isGuessed[slot] = false
      if let load = loads[slot] {
        do {
          if try queue.isDone(load) { loads[slot] = nil } else { queue.hurry(load) }
        } catch {
          // It was only expected; now that it is wanted it is read once more.
          drop(slot)
          continue
        }
      }
      if wasGuessed { counts.expected += 1 } else { counts.hits += 1 }
    }
    schedule()
  }

  package func expect(layer: Int, experts: [Int], certain: Bool) {
    expectedLayer = layer
    expectedIDs = experts.map { table.id(layer: layer, expert: $0) }
    expectationIsCertain = certain
    schedule()
  }

  package func next(most: Int, waiting: Bool) throws -> [(place: Int, weights: GatedWeights)] {
    unpin()
    schedule()
    var ready = try collect(most: most)
    if ready.isEmpty && waiting && firstLeft < wanted.count {
      try fetchFirst()
      ready = try collect(most: most)
    }
    schedule()
    return ready
  }

  // MARK: what is ready

  private func unpin() {
    for slot in pinned { isPinned[slot] = false }
    pinned.removeAll(keepingCapacity: true)
  }

  private func collect(most: Int) throws -> [(place: Int, weights: GatedWeights)] {
    var ready: [(place: Int, weights: GatedWeights)] = []
    // While some are computed with, others have to come.
    let most = inOrder ? min(most, max(1, capacity / 2)) : most
    for place in firstLeft..<wanted.count where !isGiven[place] {
      if ready.count == most { break }
      guard let slot = try readySlot(wanted[place]) else {
        if inOrder { break }
        continue
      }
      ready.append((place, try gatedWeights(wanted[place], slot)))
      isGiven[place] = true
      isNeeded[wanted[place]] = false
      isPinned[slot] = true
      pinned.append(slot)
    }
    while firstLeft < wanted.count && isGiven[firstLeft] { firstLeft += 1 }
    return ready
  }

  /// The slot of an expert whose bytes are there.
  private func readySlot(_ id: Int) throws -> Int? {
    guard let slot = table.slot(of: id) else { return nil }
    guard let load = loads[slot] else { return slot }
    do {
      guard try queue.isDone(load) else { return nil }
    } catch {
      drop(slot)
      throw error
    }
    loads[slot] = nil
    return slot
  }

  /// Waits for the first expert that was not given.
  private func fetchFirst() throws {
    let id = wanted[firstLeft]
    if table.slot(of: id) == nil {
      // All slots hold experts that this layer needs later, or are still written to.
      emptyLeaving(waiting: true)
      guard let slot = freeSlot() ?? lastNeeded() else { preconditionFailure("a store has a slot") }
      read(id, into: slot, urgent: true)
    }
    guard let slot = table.slot(of: id), let load = loads[slot] else { return }
    let begin = ContinuousClock.now
    defer { counts.secondsWaited += (ContinuousClock.now - begin) / .seconds(1) }
    do {
      try queue.wait(for: load)
    } catch {
      drop(slot)
      throw error
    }
    loads[slot] = nil
  }

  private func gatedWeights(_ id: Int, _ slot: Int) throws -> GatedWeights {
    let template: GatedWeights
    if let known = templates[id] {
      template = known
    } else {
      let language = weights.config.language
      let (layer, expert) = id.quotientAndRemainder(dividingBy: experts)
      template = try GatedWeights(
        weights.file, "language.model.layers.\(layer).mlp.experts.\(expert)", hidden: language.hiddenSize,
        inner: language.expertWidth, at: UnsafeRawPointer(memory.base))
      templates[id] = template
    }
    return template.moved(by: slot * slotBytes)
  }

  // MARK: reading

  /// Begins to read what is wanted and then what is expected, as far as there are slots.
  private func schedule() {
    emptyLeaving(waiting: false)
    for place in firstLeft..<wanted.count where table.slot(of: wanted[place]) == nil {
      guard let slot = slotForWanted() else { return }
      read(wanted[place], into: slot, urgent: true)
    }
    if expectedLayer == layer { return }
    for id in expectedIDs where table.slot(of: id) == nil {
      guard let slot = slotForExpected() else { return }
      read(id, into: slot, urgent: false)
      isGuessed[slot] = true
    }
  }

  private func read(_ id: Int, into slot: Int, urgent: Bool) {
    table.put(id, in: slot)
    isGuessed[slot] = false
    let section = firstSection[id / experts] + id % experts
    loads[slot] = queue.load(section, into: memory.base + slot * slotBytes, urgent: urgent)
  }

  /// Slots that experts may be guessed into: they are taken from the policy, so that wrong guesses never drive out
  /// more.
  private var guessedSlots: Int {
    let kept = weights.config.language.routing?.expertsPerToken ?? 0
    return capacity >= 2 * kept ? kept : 0
  }

  private func freeSlot() -> Int? { used < capacity ? free.popLast() : nil }

  private func slotForWanted() -> Int? { wrongGuess() ?? freeSlot() ?? victim() }

  private func slotForExpected() -> Int? {
    if expectationIsCertain { return wrongGuess() ?? freeSlot() ?? victim() }
    if let slot = wrongGuess() ?? freeSlot() { return slot }
    return isGuessed.count(where: { $0 }) < guessedSlots ? victim() : nil
  }

  /// A slot whose expert was expected in vain.
  private func wrongGuess() -> Int? {
    for slot in isGuessed.indices where isGuessed[slot] {
      guard let id = table.expert(in: slot), !isNeeded[id], !isExpected(id) else { continue }
      if let load = loads[slot] {
        guard (try? queue.isDone(load)) ?? true else { continue }
        loads[slot] = nil
      }
      isGuessed[slot] = false
      return slot
    }
    return nil
  }

  private func isExpected(_ id: Int) -> Bool { expectedLayer == id / experts && expectedIDs.contains(id) }

  /// The policy's choice among experts that nobody waits for. While a prompt goes by, layers that it has passed go
  /// first: those to come will be wanted before.
  private func victim() -> Int? {
    func isIdle(_ slot: Int, _ id: Int) -> Bool {
      !isPinned[slot] && !isNeeded[id] && !isGuessed[slot] && isSettled(slot) && !isExpected(id)
    }
    if isPrompt || expectationIsCertain {
      if let slot = table.victim(where: { isIdle($0, $1) && $1 / experts <= layer }) { return slot }
      return table.victim(where: { isIdle($0, $1) && $1 / experts > max(layer, expectedLayer) })
    }
    return table.victim(where: isIdle)
  }

  /// Whether nothing is being read into a slot.
  private func isSettled(_ slot: Int) -> Bool {
    guard let load = loads[slot] else { return true }
    guard (try? queue.isDone(load)) ?? false else { return false }
    loads[slot] = nil
    return true
  }

  /// The slot of the expert that the layer at work needs last.
  private func lastNeeded() -> Int? {
    for place in wanted.indices.reversed() where !isGiven[place] && place > firstLeft {
      if let slot = table.slot(of: wanted[place]) {
        if let load = loads[slot] { _ = queue.abandon(load, waiting: true) }
        loads[slot] = nil
        return slot
      }
    }
    guard let slot = table.victim(where: { slot, _ in !isPinned[slot] }) else { return nil }
    if let load = loads[slot] { _ = queue.abandon(load, waiting: true) }
    loads[slot] = nil
    return slot
  }

  /// Compares what was expected of the layer that has begun with what it wants, and ends reads in vain.
  private func meetExpectation() {
    defer {
      expectedIDs.removeAll(keepingCapacity: true)
      expectedLayer = -1
      expectationIsCertain = false
    }
    guard expectedLayer == layer else { return }
    if !expectationIsCertain {
      counts.guesses += expectedIDs.count
      counts.rightGuesses += expectedIDs.count { isNeeded[$0] }
    }
    for id in expectedIDs where !isNeeded[id] {
      guard let slot = table.slot(of: id), isGuessed[slot], loads[slot] != nil, !isSettled(slot) else {
        continue
      }
      drop(slot)
    }
  }

  /// Empties a slot; where something is read into it, as soon as that has ended.
  private func drop(_ slot: Int) {
    table.clear(slot)
    isGuessed[slot] = false
    if let load = loads[slot], !queue.abandon(load) {
      leaving.append((slot, load))
    } else {
      free.append(slot)
    }
    loads[slot] = nil
  }

  private func emptyLeaving(waiting: Bool) {
    leaving.removeAll { slot, load in
      guard queue.abandon(load, waiting: waiting) else { return false }
      free.append(slot)
      return true
    }
  }

  // MARK: memory

  /// Changes how many slots may be in use; memory of those that are too many is given back.
  ///
  /// - Parameter slots: may be 0 while no layer is at work.
  package func resize(to slots: Int) {
    let slots = min(slots, table.slots)
    if slots >= capacity {
      capacity = slots
      return
    }
    unpin()
    capacity = slots
    emptyLeaving(waiting: true)
    while used > slots {
      guard let slot = table.victim(where: { _, _ in true }) else { break }
      empty(slot)
    }
  }

  /// Empties a slot and gives its memory back.
  private func empty(_ slot: Int) {
    if let load = loads[slot] { _ = queue.abandon(load, waiting: true) }
    loads[slot] = nil
    table.clear(slot)
    isGuessed[slot] = false
    // Where it is taken last.
    free.insert(slot, at: 0)
    memory.release(slot * slotBytes..<(slot + 1) * slotBytes)
  }

  /// Forgets everything that was read: the file was mapped anew.
  package func forget() {
    unpin()
    emptyLeaving(waiting: true)
    for slot in 0..<table.slots where table.expert(in: slot) != nil { empty(slot) }
    for id in wanted { isNeeded[id] = false }
    wanted = []
    isGiven = []
    firstLeft = 0
    expectedIDs = []
    expectedLayer = -1
  }
}

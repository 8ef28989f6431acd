import VL2Quant

/// Experts in a fixed number of slots of anonymous memory. An expert is read when it is wanted or prefetched,
/// and kept until another needs its slot. `ExpertSlots` owns the memory and reads into it; this class decides
/// what is read and what is evicted.
package final class SlotExpertStore: ExpertStore {
  /// What the store was asked for, and what it had.
  package struct Counts: Sendable {
    /// Experts that layers wanted.
    package var touched = 0
    /// Of those, in memory already.
    package var hits = 0
    /// Of those, prefetched: read already, or on their way.
    package var prefetched = 0
    /// Experts that were guessed for tokens, and of those the right ones.
    package var guesses = 0
    package var rightGuesses = 0
    package var secondsWaited = 0.0

    /// Of those touched, the ones that were read only when they were wanted.
    package var misses: Int { touched - hits - prefetched }
  }

  package private(set) var counts = Counts()

  private let weights: Weights
  private let slots: ExpertSlots
  private let firstSection: [Int]
  private let experts: Int
  private var templates: [GatedWeights?]
  /// By slot: whether its expert was given out and is being computed with.
  private var isPinned: [Bool]
  private var pinned: [Int] = []

  private var layer = 0
  private var wanted: [Int] = []
  private var isGiven: [Bool] = []
  private var firstLeft = 0
  private var inOrder = false
  /// Whether the rows at work are a prompt's, which wants nearly all experts of each layer once.
  private var isPrompt = false
  /// By id: wanted by the layer at work and not given yet.
  private var isNeeded: [Bool]
  private var prefetches: PrefetchList
  private var guessRecord = GuessRecord()

  /// - Parameters:
  ///   - slots: the most slots that there may ever be; at least 1.
  /// - Throws: `MemoryError` where the system refuses the address space.
  package init(
    _ weights: Weights, reading queue: ReadQueue, slots: Int, policy: ReplacementPolicy
  ) throws {
    self.weights = weights
    let language = weights.config.language
    let (layers, experts) = (language.layers, language.routing?.experts ?? 0)
    self.experts = experts
    firstSection = (0..<layers).map { weights.file.section("layer.\($0).expert.0") ?? -1 }
    let all = firstSection.count { $0 >= 0 } * experts
    let table = SlotTable(
      layers: layers, experts: experts, slots: max(1, min(slots, all)), policy: policy)
    self.slots = try ExpertSlots(table, bytes: Self.slotBytes(weights.file), reading: queue)
    templates = .init(repeating: nil, count: layers * experts)
    isPinned = .init(repeating: false, count: table.slots)
    isNeeded = .init(repeating: false, count: layers * experts)
    prefetches = PrefetchList(layers: layers, experts: experts)
  }

  /// Bytes of a slot: the largest expert, rounded up to 64 KiB, which is a whole number of pages of any size
  /// that systems have.
  package static func slotBytes(_ file: PackedFile) -> Int {
    let largest =
      file.manifest.sections.filter { $0.name.contains(".expert.") }.map(ReadQueue.room).max() ?? 0
    return (largest + 0xFFFF) & ~0xFFFF
  }

  package var slotBytes: Int { slots.bytes }

  /// The most slots that there may ever be.
  package var mostSlots: Int { slots.table.slots }

  /// Slots that may be in use.
  package var capacity: Int { slots.capacity }

  /// Slots that hold or will hold an expert.
  package var used: Int { slots.used }

  // MARK: ExpertStore

  package let prefetchMode = PrefetchMode.whileWaiting

  package func begin(
    layer: Int, experts: UnsafeBufferPointer<ExpertUse>, rows: Int, inOrder: Bool
  ) throws {
    unpin()
    for id in wanted { isNeeded[id] = false }
    // Prefetches that are still listed for other layers belong to a pass that did not finish.
    if layer <= self.layer { prefetches.removeAll() }
    self.layer = layer
    self.inOrder = inOrder
    isPrompt = inOrder || rows > PrefetchMode.guessedRows
    wanted = experts.map { slots.table.id(layer: layer, expert: $0.expert) }
    isGiven = .init(repeating: false, count: wanted.count)
    firstLeft = 0
    for id in wanted { isNeeded[id] = true }
    slots.table.use(
      layer: layer, experts.lazy.map { (expert: $0.expert, rows: $0.pairs.count) }, rows: rows)
    settlePrefetch()
    counts.touched += wanted.count
    for id in wanted {
      // An expert with a failed prefetch is read once more, now that it is wanted.
      guard let slot = slots.table.slot(of: id), let wasGuessed = slots.want(slot) else { continue }
      if wasGuessed { counts.prefetched += 1 } else { counts.hits += 1 }
    }
    schedule()
  }

  @discardableResult
  package func prefetch(layer: Int, experts: [Int], certain: Bool) -> Bool {
    let ids = experts.map { slots.table.id(layer: layer, expert: $0) }
    cancelGuesses(prefetches.replace(ids, of: layer, certain: certain))
    schedule()
    return isWaiting && !hasGuessesEnough
  }

  package func next(most: Int, waiting: Bool, into ready: inout PlainList<ReadyExpert>) throws {
    unpin()
    schedule()
    try collect(most: most, into: &ready)
    if ready.count == 0 && waiting && firstLeft < wanted.count {
      try fetchFirst()
      try collect(most: most, into: &ready)
    }
    schedule()
  }

  // MARK: what is ready

  private func unpin() {
    for slot in pinned { isPinned[slot] = false }
    pinned.removeAll(keepingCapacity: true)
  }

  private func collect(most: Int, into ready: inout PlainList<ReadyExpert>) throws {
    ready.removeAll()
    // At most half of the slots are given out: while those are computed with, other experts are read.
    let most = inOrder ? min(most, max(1, capacity / 2)) : most
    for place in firstLeft..<wanted.count where !isGiven[place] {
      if ready.count == most { break }
      guard let slot = try readySlot(wanted[place]) else {
        if inOrder { break }
        continue
      }
      ready.append(ReadyExpert(place: place, weights: try gatedWeights(wanted[place], slot)))
      isGiven[place] = true
      isNeeded[wanted[place]] = false
      isPinned[slot] = true
      pinned.append(slot)
    }
    while firstLeft < wanted.count && isGiven[firstLeft] { firstLeft += 1 }
  }

  /// The slot of an expert that has been read; nil where it has not.
  private func readySlot(_ id: Int) throws -> Int? {
    guard let slot = slots.table.slot(of: id), try slots.isReady(slot) else { return nil }
    return slot
  }

  /// Waits for the first expert that was not given yet.
  private func fetchFirst() throws {
    let id = wanted[firstLeft]
    if slots.table.slot(of: id) == nil {
      // All slots hold experts that this layer needs later, or are still being read into.
      slots.freeDropped(waiting: true)
      guard let slot = slots.takeFree() ?? lastNeeded() else { preconditionFailure("a store has a slot") }
      read(id, into: slot)
    }
    guard let slot = slots.table.slot(of: id) else { return }
    let begin = ContinuousClock.now
    defer { counts.secondsWaited += (ContinuousClock.now - begin) / .seconds(1) }
    try slots.wait(for: slot)
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
        inner: language.expertWidth, at: UnsafeRawPointer(slots.base))
      templates[id] = template
    }
    return template.moved(by: slot * slotBytes)
  }

  // MARK: what to read

  /// Begins to read what is wanted and then what is to be prefetched, as far as there are slots.
  private func schedule() {
    slots.freeDropped(waiting: false)
    for place in firstLeft..<wanted.count where slots.table.slot(of: wanted[place]) == nil {
      guard let slot = slotForWanted() else { return }
      read(wanted[place], into: slot)
    }
    for id in prefetches.nearestFirst where slots.table.slot(of: id) == nil {
      guard let slot = slotForPrefetch() else { return }
      read(id, into: slot, guessed: true)
    }
  }

  private func read(_ id: Int, into slot: Int, guessed: Bool = false) {
    let section = firstSection[id / experts] + id % experts
    slots.read(id, section: section, into: slot, guessed: guessed)
  }

  /// Compares the prefetches for the layer that has begun with what it wants, and cancels reads that are in vain.
  private func settlePrefetch() {
    let isCertain = prefetches.certainLayer == layer
    let ids = prefetches.remove(layer)
    if !isCertain {
      counts.guesses += ids.count
      counts.rightGuesses += ids.count { isNeeded[$0] }
      for id in ids where isGuessedOrAbsent(id) { guessRecord.note(isRight: isNeeded[id]) }
    }
    cancelGuesses(ids)
  }

  /// Cancels prefetches of experts that are no longer guessed and not wanted.
  private func cancelGuesses(_ ids: [Int]) {
    for id in ids where !isNeeded[id] && !prefetches.contains(id) {
      guard let slot = slots.table.slot(of: id), slots.isGuessed[slot], !slots.isSettled(slot) else {
        continue
      }
      slots.drop(slot)
    }
  }

  /// Whether nothing that the layer at work wants can be given yet.
  private var isWaiting: Bool {
    !wanted.indices.contains { place in
      !isGiven[place] && slots.table.slot(of: wanted[place]).map(slots.isSettled) ?? false
    }
  }

  /// Whether as many experts are guessed as may be.
  private var hasGuessesEnough: Bool {
    prefetches.nearestFirst.count(where: isGuessedOrAbsent) >= guessedSlots
  }

  private func isGuessedOrAbsent(_ id: Int) -> Bool {
    slots.table.slot(of: id).map { slots.isGuessed[$0] } ?? true
  }

  // MARK: what goes

  /// How many slots may hold guesses if other experts have to be evicted for them, so that wrong guesses
  /// never evict more. None where guesses are mostly wrong.
  private var guessedSlots: Int {
    let kept = weights.config.language.routing?.expertsPerToken ?? 0
    return capacity >= 2 * kept && guessRecord.pays ? kept : 0
  }

  private func slotForWanted() -> Int? {
    wrongGuess() ?? slots.takeFree() ?? victim(sparing: prefetches.contains) ?? victim { _ in false }
  }

  private func slotForPrefetch() -> Int? {
    if let slot = wrongGuess() ?? slots.takeFree() { return slot }
    let isAllowed = prefetches.certainLayer != nil || slots.guesses < guessedSlots
    return isAllowed ? victim(sparing: prefetches.contains) : nil
  }

  /// A slot with an expert that was prefetched in vain.
  private func wrongGuess() -> Int? {
    slots.isGuessed.indices.first { slot in
      guard slots.isGuessed[slot], let id = slots.table.expert(in: slot) else { return false }
      return !isNeeded[id] && !prefetches.contains(id) && slots.takeGuessed(slot)
    }
  }

  /// The slot to evict: the policy's choice among experts that nobody waits for. During a prompt, layers that
  /// it has passed go first, because later layers will be wanted sooner.
  private func victim(sparing isSpared: (_ id: Int) -> Bool) -> Int? {
    func isIdle(_ slot: Int, _ id: Int) -> Bool {
      !isPinned[slot] && !isNeeded[id] && !slots.isGuessed[slot] && slots.isSettled(slot) && !isSpared(id)
    }
    if isPrompt {
      if let slot = slots.table.victim(where: { isIdle($0, $1) && $1 / experts <= layer }) { return slot }
      let next = max(layer, prefetches.certainLayer ?? layer)
      return slots.table.victim(where: { isIdle($0, $1) && $1 / experts > next })
    }
    return slots.table.victim(where: isIdle)
  }

  /// The slot of the expert that the layer at work needs last.
  private func lastNeeded() -> Int? {
    let last = wanted.indices.last {
      !isGiven[$0] && $0 > firstLeft && slots.table.slot(of: wanted[$0]) != nil
    }
    let slot =
      last.flatMap { slots.table.slot(of: wanted[$0]) }
      ?? slots.table.victim(where: { slot, _ in !isPinned[slot] })
    if let slot { slots.cancelRead(slot) }
    return slot
  }

  // MARK: memory

  /// Changes how many slots may be in use, and gives the memory of surplus slots back to the system.
  ///
  /// - Parameter count: may be 0 while no layer is at work.
  package func resize(to count: Int) {
    let count = min(count, mostSlots)
    if count < capacity {
      unpin()
      slots.freeDropped(waiting: true)
    }
    slots.capacity = count
    while used > count {
      guard let slot = slots.table.victim(where: { _, _ in true }) else { break }
      slots.empty(slot)
    }
  }

  /// Drops everything that was read, because the file is mapped again.
  package func invalidate() {
    unpin()
    slots.freeDropped(waiting: true)
    for slot in 0..<mostSlots where slots.table.expert(in: slot) != nil { slots.empty(slot) }
    for id in wanted { isNeeded[id] = false }
    wanted = []
    isGiven = []
    firstLeft = 0
    prefetches.removeAll()
  }
}

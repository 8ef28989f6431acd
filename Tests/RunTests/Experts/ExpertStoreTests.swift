import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Quant
import VL2Run

/// Experts in slots: the same answers as from a mapped file, however few slots there are and whatever is read when.
@Suite struct ExpertStoreTests {
  private func options(
    slots: Int, threads: Int = 2, policy: ReplacementPolicy = .aged, bytesPerSecond: Int? = nil
  ) -> RuntimeOptions {
    var options = RuntimeOptions(threads: threads)
    options.slots = slots
    options.policy = policy
    options.bytesPerSecond = bytesPerSecond
    return options
  }

  /// 16 experts in all, 2 for a token and layer.
  @Test(arguments: [WeightCode.q4, .bf16])
  func sameTokensWithAnySlots(weights: WeightCode) throws {
    let expected = try PackedModels.open("nano-mha", weights).answer(pictures: ["wide.jpg", "small.png"])
    #expect(expected.count == 12)
    let path = try PackedModels.path("nano-mha", weights)
    for (number, slots) in [1, 2, 3, 4, 5, 7, 11, 16, 40].enumerated() {
      let policies = ReplacementPolicy.allCases
      let options = options(
        slots: slots, threads: 1 + number % 2, policy: policies[number % policies.count])
      let model = try Model(path: path, options: options)
      #expect(
        try model.answer(pictures: ["wide.jpg", "small.png"]) == expected, "\(slots) slots")
      // A second time, with what is left in the slots.
      #expect(try model.answer(pictures: ["wide.jpg", "small.png"]) == expected, "\(slots) slots, again")
      let statistics = model.weightStatistics
      let sum = (statistics.hits ?? 0) + (statistics.readAhead ?? 0) + (statistics.misses ?? 0)
      #expect(sum == statistics.expertsTouched)
      #expect((statistics.slots ?? 0) == min(slots, 16))
    }
  }

  @Test func packedSectionsAreUnpackedIntoSlots() throws {
    let expected = try PackedModels.open("nano-mha", .bf16).answer()
    let path = try PackedModels.path("nano-mha", .bf16, compression: .whereUseful)
    for slots in [1, 5, 16] {
      let model = try Model(path: path, options: options(slots: slots))
      #expect(
        model.file.manifest.sections.contains { $0.name.contains(".expert.") && $0.encoding == .zstd })
      #expect(try model.answer() == expected)
    }
  }

  /// Reads so slow that replacement, guesses and cancelled reads overlap.
  @Test func slowReads() throws {
    let expected = try PackedModels.open("nano-mha", .q4).answer(tokens: 6)
    for slots in [1, 6, 9] {
      let model = try Model(
        path: try PackedModels.path("nano-mha", .q4), options: options(slots: slots, bytesPerSecond: 8 << 20))
      #expect(try model.answer(tokens: 6) == expected, "\(slots) slots")
    }
  }

  /// A thousand sequences of layers, experts, guesses and sizes: what a slot holds is always the right expert.
  @Test func randomSequences() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    var random = SplitMix64(seed: 5)
    var ready = PlainList<ReadyExpert>()
    func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
    func subset(_ most: Int) -> [Int] {
      let count = 1 + below(most)
      return Array((0..<8).shuffled(using: &random).prefix(count)).sorted()
    }
    for sequence in 0..<1000 {
      let queue = ReadQueue(
        file, checks: sequence % 2 == 0, bytesPerSecond: sequence % 50 == 0 ? 40 << 20 : nil)
      let slots = 1 + below(16)
      let policies = ReplacementPolicy.allCases
      let store = try SlotExpertStore(
        try Weights(file, checks: false, reading: queue), reading: queue, slots: slots,
        policy: policies[sequence % policies.count])
      // What it reads into has to be there until it has stopped.
      defer { withExtendedLifetime(store) { queue.stop() } }
      for step in 0..<(4 + below(12)) {
        let layer = 1 + step % 2
        let isPrompt = below(4) == 0
        let experts = subset(isPrompt ? 8 : 4)
        if below(6) == 0 { store.resize(to: 1 + below(16)) }
        try begin(store, layer: layer, experts, rows: isPrompt ? 40 : 1, inOrder: isPrompt)
        // Guesses are revised, come in any order of layers, and may be of a layer that is not the next one.
        for _ in 0..<below(4) {
          store.prefetch(layer: isPrompt ? 3 - layer : 1 + below(2), experts: subset(4), certain: false)
        }
        if isPrompt { store.prefetch(layer: 3 - layer, experts: Array(0..<8), certain: true) }
        // Now and then a request ends in the middle.
        if below(20) == 0 { continue }
        var given: [Int] = []
        while given.count < experts.count {
          try store.next(most: 1 + below(8), waiting: true, into: &ready)
          #expect(ready.count > 0)
          for expert in ready.elements {
            let (place, weights) = (expert.place, expert.weights)
            given.append(place)
            let section = "layer.\(layer).expert.\(experts[place])"
            let bytes = try file.sectionBytes(section)
            let start = UnsafeRawPointer(try #require(weights.gate.matrix.blocks))
            #expect(
              memcmp(start, try #require(bytes.baseAddress), bytes.count) == 0,
              "\(section), sequence \(sequence)")
          }
        }
        #expect(isPrompt ? given == Array(experts.indices) : given.sorted() == Array(experts.indices))
        #expect(store.used <= store.capacity)
      }
    }
  }

  /// A store of nano's experts, 8 in each of the layers 1 and 2, that has read what is given of them.
  private func store(
    _ file: PackedFile, reading queue: ReadQueue, slots: Int,
    having experts: [(layer: Int, experts: [Int])] = []
  ) throws -> SlotExpertStore {
    let store = try SlotExpertStore(
      try Weights(file, checks: false, reading: queue), reading: queue, slots: slots, policy: .likely)
    for (layer, experts) in experts { try use(store, layer: layer, experts) }
    return store
  }

  private func begin(
    _ store: SlotExpertStore, layer: Int, _ experts: [Int], rows: Int = 1, inOrder: Bool = false
  ) throws {
    try experts.map { ExpertUse(expert: $0, rows: 1) }.withUnsafeBufferPointer {
      try store.begin(layer: layer, experts: $0, rows: rows, inOrder: inOrder)
    }
  }

  /// Waits for experts, and returns how many came.
  private func next(_ store: SlotExpertStore) throws -> Int {
    var ready = PlainList<ReadyExpert>()
    try store.next(most: 8, waiting: true, into: &ready)
    return ready.count
  }

  private func use(_ store: SlotExpertStore, layer: Int, _ experts: [Int]) throws {
    try begin(store, layer: layer, experts)
    var given = 0
    while given < experts.count { given += try next(store) }
  }

  /// However far ahead is guessed and however wrongly, guesses take no more than two places, a token's experts of a layer,
  /// from experts that were read because they were wanted.
  @Test(arguments: [4, 5, 8, 15]) func wrongGuesses(slots: Int) throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let queue = ReadQueue(file, checks: false, bytesPerSecond: nil)
    let useful = Array(0..<min(8, slots))
    let store = try store(file, reading: queue, slots: slots, having: [(1, useful)])
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(store) { queue.stop() } }
    for round in 0..<20 {
      let before = store.counts
      try begin(store, layer: 1, [round % 2])
      store.prefetch(layer: 2, experts: [0, 1, 2, 3, 4, 5, 6], certain: false)
      #expect(try next(store) == 1)
      try use(store, layer: 2, [7])
      #expect(store.counts.guesses - before.guesses == 7)
      #expect(store.counts.rightGuesses == before.rightGuesses)
    }
    let before = store.counts.hits
    try use(store, layer: 1, useful)
    // One place for the expert that layer 2 wanted, and those of guesses.
    #expect(store.counts.hits - before >= useful.count - 3, "\(slots) slots")
  }

  /// The last that was said of a layer counts: what an earlier look had guessed is not read any more.
  @Test func revisedGuesses() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let size = file.manifest.sections[try #require(file.section("layer.1.expert.0"))].storedLength
    // Each read takes 10 ms.
    let queue = ReadQueue(file, checks: false, bytesPerSecond: size * 100)
    let store = try store(file, reading: queue, slots: 16)
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(store) { queue.stop() } }
    for (guesses, right) in [
      ([[3, 4], [5, 6]], 1), ([[5, 1], [2, 3], [1, 0]], 0), ([[6, 7], [7]], 0),
    ] {
      let before = store.counts
      try begin(store, layer: 1, [0])
      for guess in guesses { store.prefetch(layer: 2, experts: guess, certain: false) }
      #expect(try next(store) == 1)
      try use(store, layer: 2, [6])
      #expect(store.counts.guesses - before.guesses == guesses.last?.count)
      #expect(store.counts.rightGuesses - before.rightGuesses == right)
    }
    // Reads that were begun are let go of; those of 3 and 4 were not even that.
    #expect(queue.snapshot().cancelled > 0)
  }

  /// A store asks for farther layers while what is wanted is not there and guesses have places left.
  @Test func asksForFartherLayers() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let size = file.manifest.sections[try #require(file.section("layer.1.expert.0"))].storedLength
    let queue = ReadQueue(file, checks: false, bytesPerSecond: size * 20)
    let store = try store(file, reading: queue, slots: 12, having: [(2, [0, 1])])
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(store) { queue.stop() } }
    try begin(store, layer: 1, [0])
    // Nothing to read.
    #expect(store.prefetch(layer: 2, experts: [0, 1], certain: false))
    // As much as is read ahead.
    #expect(!store.prefetch(layer: 2, experts: [2, 3, 4], certain: false))
    #expect(store.prefetch(layer: 2, experts: [1], certain: false))
    #expect(try next(store) == 1)
    // It came.
    try begin(store, layer: 1, [0])
    #expect(!store.prefetch(layer: 2, experts: [0, 1], certain: false))
    // Too few places to guess at all.
    store.resize(to: 3)
    try begin(store, layer: 1, [5])
    #expect(!store.prefetch(layer: 2, experts: [6], certain: false))
  }

  /// Guesses that keep being wrong are not read any more, until they would have been right again.
  @Test func guessesThatDoNotPay() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let size = file.manifest.sections[try #require(file.section("layer.1.expert.0"))].storedLength
    let queue = ReadQueue(file, checks: false, bytesPerSecond: size * 500)
    // Layer 2 wants its experts in turn, so that the next one is never in memory.
    let store = try store(file, reading: queue, slots: 6, having: [(1, [0]), (2, [0, 1, 2, 3, 4])])
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(store) { queue.stop() } }
    var turn = 4
    func round(right: Bool) throws -> Int {
      turn += 1
      let before = store.counts.prefetched
      try begin(store, layer: 1, [0])
      store.prefetch(layer: 2, experts: [(turn + (right ? 0 : 1)) % 8], certain: false)
      #expect(try next(store) == 1)
      try use(store, layer: 2, [turn % 8])
      return store.counts.prefetched - before
    }
    #expect(try round(right: true) == 1)
    for _ in 0..<60 { _ = try round(right: false) }
    #expect(try round(right: true) == 0)
    for _ in 0..<30 { _ = try round(right: true) }
    #expect(try round(right: true) == 1)
  }

  /// What is said of the layer after the next one stands until that layer begins.
  @Test func guessesTwoLayersAhead() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let queue = ReadQueue(file, checks: false, bytesPerSecond: nil)
    let store = try store(file, reading: queue, slots: 12)
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(store) { queue.stop() } }
    // The dense layer wants no expert.
    try begin(store, layer: 0, [])
    store.prefetch(layer: 1, experts: [1, 4], certain: false)
    store.prefetch(layer: 2, experts: [1, 5], certain: false)
    try use(store, layer: 1, [1])
    #expect(store.counts.guesses == 2 && store.counts.rightGuesses == 1)
    try use(store, layer: 2, [1, 5])
    #expect(store.counts.guesses == 4 && store.counts.rightGuesses == 3)
    #expect(store.counts.prefetched == 3 && store.counts.hits == 0)
    // A pass that came to no end leaves nothing expected.
    try begin(store, layer: 0, [])
    store.prefetch(layer: 2, experts: [1], certain: false)
    try use(store, layer: 1, [])
    try use(store, layer: 1, [])
    try use(store, layer: 2, [1])
    #expect(store.counts.guesses == 4)
  }

  /// Giving a slot back takes nothing from its neighbours, whatever the size of pages.
  @Test(arguments: ["nano-mha", "nano-mla"]) func slotsAreWholePages(checkpoint: String) throws {
    let file = try PackedModels.file(checkpoint, .q4)
    let largest = file.manifest.sections.filter { $0.name.contains(".expert.") }.map(\.rawLength).max() ?? 0
    let slot = SlotExpertStore.slotBytes(file)
    #expect(largest > 0 && slot >= largest && slot % 65536 == 0)
  }

}

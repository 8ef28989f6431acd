import Foundation
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

  private func answer(_ model: Model, pictures: [String] = ["wide.jpg"], tokens: Int = 12) throws -> [Int] {
    try Session(model).answer(
      Session.Request(
        turns: [Turn(role: .user, text: "What is in the picture?")],
        pictures: try pictures.map { try Picture(contentsOf: Fixtures.path("golden/images/" + $0)) },
        maxTokens: tokens)
    ).tokens
  }

  private func pack(_ weights: WeightCode, _ compression: PackedSection.Compression, to path: String) throws {
    try ModelPacker(recipe: Recipe(matrices: weights), compression: compression, threads: 2, tool: "tests")
      .pack(Checkpoint(folder: Fixtures.path("golden/checkpoints/nano-mha")), to: path)
  }

  /// 16 experts in all, 2 for a token and layer.
  @Test(arguments: [WeightCode.q4, .bf16])
  func sameTokensWithAnySlots(weights: WeightCode) throws {
    let expected = try answer(
      try PackedModels.open("nano-mha", weights), pictures: ["wide.jpg", "small.png"])
    #expect(expected.count == 12)
    let path = try PackedModels.path("nano-mha", weights)
    for (number, slots) in [1, 2, 3, 4, 5, 7, 11, 16, 40].enumerated() {
      let policies = ReplacementPolicy.allCases
      let options = options(
        slots: slots, threads: 1 + number % 2, policy: policies[number % policies.count])
      let model = try Model(path: path, options: options)
      #expect(
        try answer(model, pictures: ["wide.jpg", "small.png"]) == expected, "\(slots) slots")
      // A second time, with what is left in the slots.
      #expect(try answer(model, pictures: ["wide.jpg", "small.png"]) == expected, "\(slots) slots, again")
      let statistics = model.weightStatistics
      let sum = (statistics.hits ?? 0) + (statistics.readAhead ?? 0) + (statistics.misses ?? 0)
      #expect(sum == statistics.expertsTouched)
      #expect((statistics.slots ?? 0) == min(slots, 16))
    }
  }

  @Test func packedSectionsAreUnpackedIntoSlots() throws {
    let expected = try answer(try PackedModels.open("nano-mha", .bf16))
    try withTemporaryFolder { folder in
      try pack(.bf16, .whereUseful, to: folder + "/model.vl2q")
      for slots in [1, 5, 16] {
        let model = try Model(path: folder + "/model.vl2q", options: options(slots: slots))
        #expect(
          model.file.manifest.sections.contains { $0.name.contains(".expert.") && $0.encoding == .zstd })
        #expect(try answer(model) == expected)
      }
    }
  }

  /// Reads so slow that replacement, guesses and abandoned reads overlap.
  @Test func slowReads() throws {
    let expected = try answer(try PackedModels.open("nano-mha", .q4), tokens: 6)
    for slots in [1, 6, 9] {
      let model = try Model(
        path: try PackedModels.path("nano-mha", .q4), options: options(slots: slots, bytesPerSecond: 8 << 20))
      #expect(try answer(model, tokens: 6) == expected, "\(slots) slots")
    }
  }

  /// A thousand sequences of layers, experts, guesses and sizes: what a slot holds is always the right expert.
  @Test func randomSequences() throws {
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
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
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
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
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
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
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
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
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
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
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
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

  /// A read that is held back takes its time, after a pause too.
  @Test func heldReadsTakeTheirTime() throws {
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
    let section = try #require(file.section("layer.1.expert.0"))
    let size = file.manifest.sections[section].storedLength
    let memory = try PageRegion(bytes: 1 << 16)
    let queue = ReadQueue(file, checks: true, bytesPerSecond: size * 50)
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(memory) { queue.stop() } }
    for _ in 0..<3 {
      Thread.sleep(forTimeInterval: 0.03)
      let took = try ContinuousClock().measure {
        try queue.wait(for: queue.load(section, into: memory.base, urgent: true))
      }
      #expect(took >= .milliseconds(19.9))
    }
  }

  /// What is wanted does not wait for what is expected, however much of that there is.
  @Test func urgentReadsPassExpectedOnes() throws {
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
    let sections = (0..<8).compactMap { file.section("layer.1.expert.\($0)") }
    let size = file.manifest.sections[sections[0]].storedLength
    let memory = try PageRegion(bytes: 9 << 16)
    // A read takes about 40 ms. A busy machine may wake this thread too late to see what passed what, but not every
    // time; in a queue that kept to its order the last one would always be done.
    var passed = false
    for _ in 0..<20 where !passed {
      let queue = ReadQueue(file, checks: true, bytesPerSecond: size * 25)
      let expected = sections.enumerated().map { place, section in
        queue.load(section, into: memory.base + place << 16, urgent: false)
      }
      try queue.wait(for: queue.load(sections[0], into: memory.base + 8 << 16, urgent: true))
      passed = try !queue.isDone(expected[7])
      withExtendedLifetime(memory) { queue.stop() }
    }
    #expect(passed)
  }

  /// A load that nobody wants any more is never read, and leaves the others as they were.
  @Test func abandonedLoads() throws {
    let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
    let sections = (0..<8).compactMap { file.section("layer.1.expert.\($0)") }
    let queue = ReadQueue(file, checks: true, bytesPerSecond: nil)
    let memory = try PageRegion(bytes: 8 << 16)
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(memory) { queue.stop() } }
    for round in 0..<20 {
      let loads = sections.enumerated().map { place, section in
        queue.load(section, into: memory.base + place << 16, urgent: (place + round) % 2 == 0)
      }
      let dropped = loads[round % 8]
      #expect(queue.cancel(dropped, waiting: true))
      for load in loads where load !== dropped {
        try queue.wait(for: load)
        let bytes = try file.sectionBytes(file.manifest.sections[load.section].name)
        let place = loads.firstIndex { $0 === load } ?? 0
        #expect(memcmp(memory.base + place << 16, try #require(bytes.baseAddress), bytes.count) == 0)
      }
    }
    #expect(queue.snapshot().loads + queue.snapshot().cancelled >= 160)
  }

  // MARK: faults

  private func flipByte(_ path: String, in section: String) throws {
    let entry = try #require(try PackedFile(path: path).manifest.sections.first { $0.name == section })
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    let place = UInt64(entry.offset + entry.storedLength / 2)
    try handle.seek(toOffset: place)
    let byte = try #require(try handle.read(upToCount: 1))
    try handle.seek(toOffset: place)
    try handle.write(contentsOf: Data([byte[0] ^ 1]))
    try handle.close()
  }

  @Test(
    arguments: [nil, 1, 16] as [Int?], ["layer.1.expert.3", "layer.2", "vision.block.1", "embedding", "head"])
  func flippedByte(slots: Int?, section: String) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try pack(.q4, .never, to: path)
      try flipByte(path, in: section)
      var options = RuntimeOptions(threads: 2)
      options.slots = slots
      let model = try Model(path: path, options: options)
      #expect(throws: PackedFileError.damagedSection(path: path, section: section)) { try answer(model) }
      // Nobody looks.
      options.checks = false
      let careless = try Model(path: path, options: options)
      #expect(try answer(careless, tokens: 2).count == 2)
    }
  }

  /// The file loses its second half while a service has it open; later it is back.
  @Test(arguments: [nil, 1, 16] as [Int?], [WeightCode.q4, .bf16])
  func truncatedFile(slots: Int?, weights: WeightCode) throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: try PackedModels.path("nano-mha", weights)))
    let expected = try answer(try PackedModels.open("nano-mha", weights))
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try whole.write(to: URL(fileURLWithPath: path))
      var options = RuntimeOptions(threads: 2)
      options.slots = slots
      let model = try Model(path: path, options: options)
      for round in 0..<2 {
        // The first time before anything was read, then with everything read.
        #expect(truncate(path, off_t(whole.count / 2)) == 0)
        #expect(
          throws: PackedFileError.length(path: path, actual: whole.count / 2, expected: whole.count),
          "round \(round)"
        ) { try answer(model) }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.write(contentsOf: whole)
        try handle.close()
        #expect(try answer(model) == expected, "round \(round)")
      }
      try FileManager.default.removeItem(atPath: path)
      // What is open stays open.
      #expect(try answer(model) == expected)
    }
  }

  /// Giving a slot back takes nothing from its neighbours, whatever the size of pages.
  @Test(arguments: ["nano-mha", "nano-mla"]) func slotsAreWholePages(checkpoint: String) throws {
    let file = try PackedFile(path: PackedModels.path(checkpoint, .q4))
    let largest = file.manifest.sections.filter { $0.name.contains(".expert.") }.map(\.rawLength).max() ?? 0
    let slot = SlotExpertStore.slotBytes(file)
    #expect(largest > 0 && slot >= largest && slot % 65536 == 0)
  }

  /// Truncated between two tokens, under the eyes of the kernels.
  @Test(arguments: [nil, 2] as [Int?]) func truncatedWhileWriting(slots: Int?) throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: try PackedModels.path("nano-mha", .q4)))
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try whole.write(to: URL(fileURLWithPath: path))
      var options = RuntimeOptions(threads: 2)
      options.slots = slots
      let model = try Model(path: path, options: options)
      var pieces = 0
      #expect(throws: PackedFileError.self) {
        try Session(model).answer(
          Session.Request(turns: [Turn(role: .user, text: "Count to ten.")], maxTokens: 200)
        ) { _ in
          pieces += 1
          if pieces == 3 { _ = truncate(path, 4096) }
          return true
        }
      }
      #expect(pieces == 3)
    }
  }

  @Test func anotherModelInItsPlace() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try pack(.q4, .never, to: path)
      let model = try Model(path: path, options: RuntimeOptions(threads: 1))
      let length = try #require(
        try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
      var other = try Data(contentsOf: URL(fileURLWithPath: try PackedModels.path("nano-mha", .bf16)))
      other.append(Data(count: max(0, length - other.count)))
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try handle.write(contentsOf: other.prefix(length))
      try handle.close()
      #expect(throws: PackedFileError.otherModel(path: path)) { try answer(model) }
    }
  }
}

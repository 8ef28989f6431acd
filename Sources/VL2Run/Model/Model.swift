import SIMDKernels
import VL2Base
import VL2Quant

/// A packed model, opened and ready to answer. Opening maps the file; weights are read when they are used.
///
/// A model works on one prompt at a time, on one thread: `Engine` gives it to many callers. Where processors differ, the
/// thread that opens it stays on the fast ones.
package final class Model {
  package let file: PackedFile
  package let tokenizer: Tokenizer
  package var config: ModelConfig { file.config }

  /// The most tokens of a prompt and its answer together.
  package let contextLength: Int
  package let arithmetic: Arithmetic
  package let decoder: Decoder
  private let weights: Weights
  private let plan: WeightPlan
  private let recorder: RecordingExpertStore?
  /// What reads the file meanwhile; nil where nothing does.
  package let readAhead: ReadAhead?
  private let budget: MemoryBudget?
  package let ledger = ByteLedger()
  private var towerMeter = MemoryMeter()
  private let tower: VisionTower
  private let projector: Projector

  /// How many times as many tokens a context may have as the model was made for.
  private static let longestContext = 2

  /// Tiles that go through the tower together: enough rows to use each weight often, few enough to fit in the
  /// memory of a small board.
  private static let tilesPerBatch = 4

  /// Opens a packed file.
  ///
  /// - Throws: `PackedFileError` for a damaged or foreign file, `FileError` where the config in it is not
  ///   that of a DeepSeek-VL2, `TokenizerError` for a damaged tokeniser, `ModelError` for a model that this
  ///   version does not run and for a context that it does not have, `MemoryBudgetError.tooSmall` where the model does not run in the memory that it
  ///   may take, `MemoryError` where the system refuses memory.
  package init(path: String, options: RuntimeOptions = RuntimeOptions()) throws {
    file = try PackedFile(path: path)
    try file.surviveFaults()
    tokenizer = try Tokenizer(section: file.sectionBytes("tokenizer"))
    guard tokenizer.count <= file.config.language.vocabularySize else {
      throw ModelError.tokenizerTooLarge(
        tokens: tokenizer.count, vocabulary: file.config.language.vocabularySize)
    }
    let most = Self.longestContext * file.config.language.maxPositions
    contextLength = options.contextLength ?? file.config.language.maxPositions
    guard (ModelError.shortestContext...most).contains(contextLength) || options.contextLength == nil else {
      throw ModelError.contextLength(contextLength, most: most)
    }
    let processors = Processors.system
    let wanted = options.threads ?? processors.answering
    let place = processors.place(for: wanted)
    arithmetic = Arithmetic(pool: WorkerPool(threads: wanted, place: place), mode: options.activations)
    let threads = arithmetic.pool.threads
    plan = try WeightPlan(file, options: options, pool: arithmetic.pool)
    weights = plan.weights
    readAhead = plan.slots == nil ? ReadAhead.start(file, options.readingAhead) : nil
    (plan.experts as? MappedExpertStore)?.readAhead = readAhead
    recorder = options.recordsRoutes ? RecordingExpertStore(plan.experts, file) : nil
    tower = try VisionTower(weights, arithmetic: arithmetic)
    projector = try Projector(weights, arithmetic: arithmetic)
    decoder = try Decoder(
      weights, store: recorder ?? plan.experts, keyValues: options.keyValuesInUse, ledger: ledger,
      arithmetic: arithmetic,
      writing: WritingThreads(all: threads, isFixed: options.threads != nil))
    budget = try Self.makeBudget(
      plan, file: file, ledger: ledger, decoder: decoder, positions: min(64, contextLength), threads: threads)
    decoder.budget = budget
    // This thread takes part in all arithmetic. Those that it started before may run anywhere.
    if let place { Processors.keepThisThread(on: place) }
  }

  /// - Parameter positions: a short question.
  private static func makeBudget(
    _ plan: WeightPlan, file: PackedFile, ledger: ByteLedger, decoder: Decoder, positions: Int, threads: Int
  ) throws -> MemoryBudget? {
    guard let bytes = plan.bytes, let slots = plan.slots else { return nil }
    var meter = MemoryMeter()
    meter.sample()
    let budget = MemoryBudget(
      bytes: bytes, fixed: meter.peaks.anonymous, weights: plan.weights, store: slots, ledger: ledger)
    let language = file.config.language
    func working(_ rows: Int, _ chunk: Int) -> Int {
      language.workingBytes(rows: rows, chunk: chunk, positions: rows, threads: threads)
    }
    // A short question without a picture, and a picture of one tile.
    let smallest = budget.smallest(
      decoding: working(positions, smallestChunk) + (try decoder.makeCache(positions: positions).byteCount),
      encoding: file.config.visionBytes(tiles: 1, batch: 1, threads: threads))
    guard bytes >= smallest else {
      throw MemoryBudgetError.tooSmall(path: file.path, bytes: bytes, smallest: smallest)
    }
    // Large chunks are a little faster. They may take a tenth of what is left above the smallest budget.
    decoder.chunk =
      [Decoder.defaultChunk, 256, 128, 64].first {
        working($0, $0) - working($0, smallestChunk) <= (bytes - smallest) / 10
      } ?? smallestChunk
    return budget
  }

  private static let smallestChunk = 32

  deinit {
    readAhead?.stop()
    plan.queue?.stop()
  }

  /// Which experts were used since the model was opened; nil where the options did not ask for it.
  package var routes: RouteTrace? { recorder?.trace }

  /// Must be called before each question. If the file changed since the last question (its card was pulled out
  /// and put back), it is opened again, provided that it is whole and the same.
  ///
  /// - Throws: `PackedFileError` where it is not.
  package func beginRequest() throws {
    do {
      try file.checkUnchanged()
    } catch is PackedFileError {
      readAhead?.stop()
      // Nothing may be reading while the file is opened again.
      plan.slots?.invalidate()
      (plan.experts as? MappedExpertStore)?.invalidate()
      weights.invalidate()
      try file.refresh()
    }
  }

  /// Where the weights were and what reading them took, since the model was opened.
  package var weightStatistics: WeightStatistics {
    var statistics = WeightStatistics()
    statistics.checkSeconds = file.checkSeconds
    statistics.towerPeakBytes = towerMeter.peaks.anonymous
    statistics.decoderPeakBytes = decoder.meter.peaks.anonymous
    if let slots = plan.slots, let queue = plan.queue {
      statistics.budgetBytes = plan.bytes
      statistics.slots = slots.capacity
      statistics.slotBytes = slots.slotBytes
      let counts = slots.counts
      statistics.expertsTouched = counts.touched
      statistics.hits = counts.hits
      statistics.readAhead = counts.prefetched
      statistics.misses = counts.misses
      statistics.guesses = counts.guesses
      statistics.rightGuesses = counts.rightGuesses
      statistics.secondsWaited = counts.secondsWaited
      statistics.bytesRead = queue.snapshot().bytes
    } else if let mapped = plan.experts as? MappedExpertStore {
      statistics.expertsTouched = mapped.touched
    }
    return statistics
  }

  /// One line to show to users of a model that only demonstrates how things work and knows little; nil for
  /// other models.
  package var demonstrationNotice: String? { file.manifest.origin.demonstrationNotice }

  /// One line to show to users of a context that is longer than the model was made for; nil for others.
  package var contextNotice: String? {
    let most = config.language.maxPositions
    guard contextLength > most else { return nil }
    return
      "a context of \(contextLength) tokens: the model was made for \(most), and may answer worse beyond them"
  }

  /// Threads that share the arithmetic.
  package var threads: Int { arithmetic.pool.threads }

  /// The vocabulary sorted by its bytes, built when a schema first needs it.
  package private(set) lazy var vocabulary = Vocabulary(tokenizer)

  /// The token that is written at the end of an answer.
  package var endToken: Int { tokenizer.endToken ?? config.language.endToken }

  /// Whether a token ends an answer. What the tokeniser calls so goes before a single one of config.json; a list there
  /// adds others.
  package func endsAnswer(_ token: Int) -> Bool {
    let others = config.language.endTokens
    return token == endToken || (others.count > 1 && others.contains(token))
  }

  /// The token that begins a conversation.
  package var beginToken: Int { tokenizer.beginToken ?? config.language.beginToken }

  /// How many of a prompt's last positions go through the decoder before what they leave there counts. Reading that is
  /// stopped loses what does not count yet; but more rows at once are a little faster, so that a short rest is taken
  /// with the step before. Under a budget all go at once, so that each weight is read once a prompt.
  package func readingStep(_ positions: Int) -> Int {
    let step = 2 * decoder.chunk
    return budget != nil || positions <= step * 3 / 2 ? positions : step
  }

  /// Called where memory is short: gives up something that is kept only in case it is wanted again, and returns whether
  /// there was anything (`MemoryBudget.reclaim`).
  package func onShortage(_ reclaim: @escaping (MemoryBudget.Shortage) -> Bool) { budget?.reclaim = reclaim }

  /// Layers that each picture goes through.
  package var towerLayers: Int { tower.layers }

  /// Encodes a picture into the rows for its places in the prompt.
  ///
  /// - Parameters:
  ///   - share: which tiles are encoded; nil for all. The others' rows are those of the earlier picture.
  ///   - observer: is shown all tiles, so that it does not go with a share.
  ///   - progress: called several times in each of the tower's layers with the number of layers that are done.
  /// - Throws: `PackedFileError` where weights cannot be read or the file changed meanwhile,
  ///   `MemoryBudgetError.request` before anything is computed, and what `progress` throws.
  package func encode(
    _ picture: TiledPicture, _ share: TileShare? = nil, observer: StageObserver? = nil,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> EncodedPicture {
    let vision = config.vision
    let side = projector.side
    let hidden = config.language.hiddenSize
    let places = 1 + picture.grid.rows * picture.grid.columns
    // Where the global view equals the only local tile, pixel for pixel, one of them is encoded. With an
    // observer, both are.
    let tiles = 0..<(picture.globalEqualsLocal && observer == nil ? 1 : places)
    let changed = share?.changed ?? Array(tiles)
    let earlier = share?.earlier?.picture
    if changed.isEmpty, let earlier { return earlier }
    let threads = threads
    let working = earlier == nil ? tiles.count : places
    let batch =
      [Self.tilesPerBatch, 2, 1].first {
        guard let budget else { return true }
        return config.visionBytes(tiles: working, batch: $0, threads: threads) <= budget.bytes / 6
      } ?? 1
    try budget?.makeRoomForTower(
      working: config.visionBytes(tiles: working, batch: batch, threads: threads))
    let features = AlignedBuffer()
    let rows = Rows(
      features.reserve(places * side * side * hidden), count: places * side * side, columns: hidden)
    func tileRows(_ tiles: Range<Int>) -> Rows {
      rows.slice(tiles.lowerBound * side * side..<tiles.upperBound * side * side)
    }
    let patches = AlignedBuffer()
    // `Rows` do not own their memory.
    defer { withExtendedLifetime((features, patches, earlier)) {} }
    let patchRows = Rows(
      patches.reserve(changed.count * vision.patches * vision.width), count: changed.count * vision.patches,
      columns: vision.width)
    try picture.pixels(of: changed).withUnsafeBufferPointer { pixels in
      guard let pixels = pixels.baseAddress else { return }
      try tower.encode(
        tiles: pixels, count: changed.count, into: patchRows, batch: batch, observer: observer,
        progress: progress)
    }
    for run in Self.runs(of: changed, atMost: batch) {
      try projector.project(
        patchRows.slice(run.lowerBound * vision.patches..<run.upperBound * vision.patches), tiles: run.count,
        into: tileRows(changed[run.lowerBound]..<changed[run.lowerBound] + run.count), observer: observer)
    }
    if let earlier {
      for tile in tiles where !changed.contains(tile) {
        projector.take(tile, of: earlier.rows, grid: picture.grid, into: tileRows(tile..<tile + 1))
      }
    }
    if tiles.count < places { rows[side * side].update(from: rows.base, count: side * side * hidden) }
    let result = EncodedPicture(
      grid: picture.grid, hidden: hidden, rowCount: ImageTokens(config.processor).count(picture.grid),
      ledger: ledger
    ) { projector.arrange(rows, grid: picture.grid, into: $0) }
    try file.checkUnchanged()
    towerMeter.sample()
    weights.release("projector")
    return result
  }

  /// Parts of a list of tiles in each of which one follows on the other.
  ///
  /// - Returns: ranges of places in the list.
  private static func runs(of tiles: [Int], atMost most: Int) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for place in tiles.indices {
      if let last = runs.last, last.count < most, tiles[place - 1] + 1 == tiles[place] {
        runs[runs.count - 1] = last.lowerBound..<place + 1
      } else {
        runs.append(place..<place + 1)
      }
    }
    return runs
  }

  /// Frees the memory that encoding pictures and long prompts needed.
  package func releaseScratch() {
    tower.releaseScratch()
    projector.releaseScratch()
    decoder.releaseScratch()
    arithmetic.releaseScratch()
    decoder.releaseScratch()
    if budget != nil { Heap.trim() }
  }
}

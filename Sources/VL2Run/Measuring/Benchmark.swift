import VL2Quant

/// What `vl2 bench` measures: medians over several runs on one model, with the limits of the same minutes.
package struct Benchmark {
  package var threads: Int
  /// The kernels in use, as `VL2_ISA` names them.
  package var isa: String
  package var runs: Int
  package var openSeconds: Double
  /// From a decoded photo of 1200 x 800 to the first token.
  package var firstTokenSeconds: Double
  /// Tower and projector, one tile alone.
  package var tileSeconds: Double
  /// The same for each of five tiles encoded together.
  package var tileSecondsOfFive: Double
  /// Tokens of the prompt, 512 where the model's context allows.
  package var promptTokens: Int
  package var promptTokensPerSecond: Double
  /// Tokens written in a run, 64 where the model's context allows.
  package var writtenTokens: Int
  package var writeTokensPerSecond: Double
  /// Positions before the tokens written far into the context, 3,500 where the model's context allows.
  package var context: Int
  package var writeTokensPerSecondFar: Double
  /// Largest of all of the above, bytes.
  package var peakAnonymousBytes: Int
  /// The same threads adding up mapped weights, measured in turn with writing at context 0.
  package var readBytesPerSecond: Double
  package var weightBytesPerToken: Int
  /// Share of the read bandwidth that writing at context 0 reaches: the median over pairs of runs.
  package var bandwidthShare: Double
  /// Operations a second that the same threads do at most, int8 products and float32; a multiply-add is two.
  package var int8OperationsPerSecond: Double
  package var floatOperationsPerSecond: Double
  /// Seconds that a tile and the prompt would take at these peaks: int8 for what weights take part in, float for
  /// attention.
  package var tileLimitSeconds: Double
  package var promptLimitSeconds: Double

  /// Tokens a second that could be written if reading the weights were all there is to it.
  package var writeLimit: Double { readBytesPerSecond / Double(weightBytesPerToken) }

  /// Measures.
  ///
  /// - Parameters:
  ///   - runs: at least 1.
  ///   - open: opens the model; called `runs` times.
  ///   - progress: told what is measured next.
  /// - Throws: what opening and answering throw.
  package init(runs: Int, open: () throws -> Model, progress: (String) -> Void) throws {
    progress("opening")
    var openTimes: [Double] = []
    var model = try open()
    for _ in 0..<runs { openTimes.append(try seconds { model = try open() }) }
    self.runs = runs
    openSeconds = median(openTimes)
    threads = model.threads
    isa = InstructionSet.active

    var random = RandomBits(state: 512)
    var meter = MemoryMeter()
    progress("time to first token")
    let request = Session.Request(
      turns: [Turn(role: .user, text: "What is in the picture?")],
      pictures: [random.picture(width: 1200, height: 800)], maxTokens: 1)
    let session = Session(model)
    var anonymous = 0
    firstTokenSeconds = try medianSeconds(runs) {
      try seconds { anonymous = max(anonymous, try session.answer(request).memory.anonymous) }
    }

    progress("tiles")
    let processor = model.config.processor
    let side = processor.candidateResolutions[0].width
    let sizes = [1, 2].map { ProcessorConfig.Size(width: $0 * side, height: $0 * side) }
    // A square of one tile is its own global view; one of two by two has it besides.
    let (one, five) = (
      TiledPicture(
        random.picture(width: side, height: side), candidates: [sizes[0]], mean: processor.imageMean,
        cropping: true),
      TiledPicture(
        random.picture(width: 2 * side, height: 2 * side), candidates: sizes, mean: processor.imageMean,
        cropping: true)
    )
    var peak = PeakSpeed(pool: model.arithmetic.pool)
    tileSeconds = try medianSeconds(runs) {
      peak.measure()
      return try seconds { _ = try model.encode(one) }
    }
    tileSecondsOfFive = try medianSeconds(runs) { try seconds { _ = try model.encode(five) } } / 5
    meter.sample()
    model.releaseScratch()

    progress("prompt")
    let decoding = try DecoderTiming(model, random: &random)
    promptTokens = decoding.prompt
    writtenTokens = decoding.written
    context = decoding.far
    promptTokensPerSecond =
      Double(promptTokens)
      / (try medianSeconds(runs) {
        peak.measure()
        return try seconds { try decoding.readPrompt() }
      })

    progress("writing at context 0, and read bandwidth")
    let weights = TokenWeights(model.file)
    weightBytesPerToken = weights.bytes
    let reading = try ReadSpeed(model.file, weights, pool: model.arithmetic.pool)
    // As many passes as there are tokens in a run of writing.
    let passes = writtenTokens
    var sum: UInt64 = 0
    var (writeTimes, readTimes): ([Double], [Double]) = ([], [])
    for _ in 0...runs {
      writeTimes.append(try seconds { try decoding.write(after: 0) })
      readTimes.append(seconds { for _ in 0..<passes { sum &+= reading.pass() } })
    }
    withExtendedLifetime(sum) {}
    // The first of each faults pages in and grows buffers.
    writeTimes.removeFirst()
    readTimes.removeFirst()
    writeTokensPerSecond = Double(writtenTokens) / median(writeTimes)
    readBytesPerSecond = Double(reading.bytes * passes) / median(readTimes)
    bandwidthShare = median(
      zip(writeTimes, readTimes).map { write, read in
        Double(weights.bytes * passes) / write / (Double(reading.bytes * passes) / read)
      })
    progress("writing at context \(context)")
    try decoding.fill()
    meter.sample()
    model.releaseScratch()
    writeTokensPerSecondFar =
      Double(writtenTokens)
      / (try medianSeconds(runs) { try seconds { try decoding.write(after: decoding.far) } })
    meter.sample()
    peakAnonymousBytes = max(anonymous, meter.peaks.anonymous)

    int8OperationsPerSecond = peak.int8
    floatOperationsPerSecond = peak.float32
    let work = ModelWork(model.file)
    tileLimitSeconds = peak.seconds(work.tile)
    promptLimitSeconds = peak.seconds(work.prompt(tokens: promptTokens))
  }
}

/// Where the time goes of what `vl2 bench` measures.
package struct StageTimes {
  /// Writing, a prompt, or a tile.
  package struct Part {
    package var name: String
    /// What `seconds`, `jobs` and all else are divided by: tokens that were written, or 1.
    package var count: Int
    package var seconds: Double
    package var stages: [(stage: StageClock.Stage, sum: StageClock.Sum)]
  }
  package private(set) var parts: [Part] = []
  package var int8OperationsPerSecond: Double
  package var readBytesPerSecond: Double

  /// Measures each part once after a run that does not count.
  package init(_ model: Model) throws {
    var random = RandomBits(state: 512)
    let decoding = try DecoderTiming(model, random: &random)
    let processor = model.config.processor
    let side = processor.candidateResolutions[0].width
    let tile = TiledPicture(
      random.picture(width: side, height: side), candidates: [.init(width: side, height: side)],
      mean: processor.imageMean, cropping: true)
    let clock = StageClock()
    let pool = model.arithmetic.pool
    func measure(_ name: String, _ count: Int, _ body: () throws -> Void) throws -> Part {
      pool.clock = nil
      try body()
      pool.clock = clock
      _ = clock.take()
      let took = try seconds(body)
      defer { pool.clock = nil }
      return Part(name: name, count: count, seconds: took, stages: clock.take())
    }
    parts.append(
      try measure("writing a token at context 0", decoding.written) { try decoding.write(after: 0) })
    parts.append(try measure("prompt of \(decoding.prompt) tokens", 1) { try decoding.readPrompt() })
    parts.append(try measure("one tile", 1) { _ = try model.encode(tile) })
    var peak = PeakSpeed(pool: pool)
    for _ in 0..<3 { peak.measure() }
    int8OperationsPerSecond = peak.int8
    let reading = try ReadSpeed(model.file, TokenWeights(model.file), pool: pool)
    var sum: UInt64 = 0
    let took = seconds { for _ in 0..<decoding.written { sum &+= reading.pass() } }
    withExtendedLifetime(sum) {}
    readBytesPerSecond = Double(reading.bytes * decoding.written) / took
  }
}

/// The decoder alone, on random token ids: what they are does not matter, that they vary does, since each picks
/// its experts.
private final class DecoderTiming {
  let prompt, written, far: Int
  private let model: Model
  private let cache: KeyValueCache
  private let tokens: [Int]
  private let buffer = AlignedBuffer()

  init(_ model: Model, random: inout RandomBits) throws {
    self.model = model
    let limit = model.config.language.maxPositions
    prompt = min(512, limit)
    written = min(64, limit)
    far = min(3500, limit - written)
    tokens = random.numbers(
      max(prompt, far + written), below: model.config.language.vocabularySize)
    cache = try model.decoder.makeCache(positions: tokens.count)
  }

  func readPrompt() throws {
    cache.truncate(to: 0)
    try read(0..<prompt)
  }

  /// Fills the cache up to `far`.
  func fill() throws {
    cache.truncate(to: 0)
    try read(0..<far)
  }

  /// Writes after `position` positions, which the cache must hold.
  func write(after position: Int) throws {
    cache.truncate(to: position)
    for place in position..<position + written { _ = try model.decoder.step(tokens[place], cache: cache) }
  }

  /// A prompt through the decoder, and the token that it would write next.
  private func read(_ range: Range<Int>) throws {
    guard !range.isEmpty else { return }
    let hidden = model.config.language.hiddenSize
    let rows = Rows(buffer.reserve(range.count * hidden), count: range.count, columns: hidden)
    defer { withExtendedLifetime(buffer) {} }
    for (row, place) in range.enumerated() { try model.decoder.embed(tokens[place], into: rows[row]) }
    try model.decoder.forward(rows, cache: cache)
    _ = model.decoder.likeliest(model.decoder.logits(rows.slice(range.count - 1..<range.count)))
  }
}

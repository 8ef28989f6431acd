import VL2Base
import VL2Quant
import VL2Run

/// What `vl2 bench` measures: medians over several runs on one model, with the machine's limits measured in
/// the same minutes.
package struct Benchmark {
  package var threads: Int
  /// The kernels in use, as `VL2_ISA` names them.
  package var isa: String
  package var runs: Int
  package var openSeconds: Double
  /// From a decoded photo of 1200 x 800 to the first token.
  package var firstTokenSeconds: Double
  /// Tower and projector, for one tile alone.
  package var tileSeconds: Double
  /// The same, for each of five tiles encoded together.
  package var tileSecondsOfFive: Double
  /// Tokens of the prompt: 512 if the model's context allows.
  package var promptTokens: Int
  package var promptTokensPerSecond: Double
  /// Tokens written in a run: 64 if the model's context allows.
  package var writtenTokens: Int
  package var writeTokensPerSecond: Double
  /// Positions before the tokens written far into the context: 3,500 if the model's context allows.
  package var context: Int
  package var writeTokensPerSecondFar: Double
  /// The largest of all of the above, in bytes.
  package var peakAnonymousBytes: Int
  /// Memory-mapped weights are read and added up, in the fastest of several ways; measured in turn with writing at context 0.
  /// Never less than writing itself reads.
  package var readBytesPerSecond: Double
  /// Which way that was.
  package var readWay: String
  /// What the last-level caches of the processors in use hold, in bytes; nil if the system does not say.
  package var cacheBytes: Int?
  package var weightBytesPerToken: Int
  /// The fraction of the read bandwidth that writing at context 0 reaches: the median over pairs of runs.
  package var bandwidthShare: Double
  /// The most operations a second that the same threads can do, int8 products and float32; a multiply-add
  /// counts as two.
  package var int8OperationsPerSecond: Double
  package var floatOperationsPerSecond: Double
  /// Seconds that a tile and the prompt would take at these peaks: int8 for the work with weights, float for
  /// attention.
  package var tileLimitSeconds: Double
  package var promptLimitSeconds: Double

  /// Tokens a second that could be written if only reading the weights took time.
  package var writeLimit: Double { readBytesPerSecond / Double(weightBytesPerToken) }

  /// Measures.
  ///
  /// - Parameters:
  ///   - runs: at least 1.
  ///   - seconds: for each thing that is measured, after how many seconds no further run begins; nil for as long as it takes.
  ///   - open: opens the model; called `runs` + 1 times.
  ///   - progress: is told what is measured next.
  /// - Throws: what opening and answering throw.
  package init(
    runs: Int, seconds limit: Double? = nil, open: () throws -> Model, progress: (String) -> Void
  ) throws {
    let repetition = Repetition(runs: runs, seconds: limit)
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
    let question = Question(
      "What is in the picture?", pictures: [random.picture(width: 1200, height: 800)], maxTokens: 1)
    var anonymous = 0
    firstTokenSeconds = try repetition.median {
      try seconds { anonymous = max(anonymous, try model.answer(question).memory.anonymous) }
    }

    progress("tiles")
    let processor = model.config.processor
    let side = processor.candidateResolutions[0].width
    let sizes = [1, 2].map { ProcessorConfig.Size(width: $0 * side, height: $0 * side) }
    // A square of one tile is its own global view; a square of two by two tiles has one in addition.
    let (one, five) = (
      TiledPicture(
        random.picture(width: side, height: side), candidates: [sizes[0]], mean: processor.imageMean),
      TiledPicture(
        random.picture(width: 2 * side, height: 2 * side), candidates: sizes, mean: processor.imageMean)
    )
    var peak = PeakSpeed(pool: model.arithmetic.pool)
    tileSeconds = try repetition.median {
      peak.measure()
      return try seconds { _ = try model.encode(one) }
    }
    tileSecondsOfFive = try repetition.median { try seconds { _ = try model.encode(five) } } / 5
    meter.sample()
    model.releaseScratch()

    progress("prompt")
    let decoding = try DecoderTiming(model, random: &random)
    promptTokens = decoding.prompt
    writtenTokens = decoding.written
    context = decoding.far
    promptTokensPerSecond =
      Double(promptTokens)
      / (try repetition.median {
        peak.measure()
        return try seconds { try decoding.prefill() }
      })

    progress("ways of reading memory")
    let weights = TokenWeights(model.file)
    weightBytesPerToken = weights.bytes
    let reading = try ReadSpeed(model.file, weights, pool: model.arithmetic.pool, seconds: limit ?? 20)
    cacheBytes = LastLevelCache().bytes
    progress("writing at context 0, and read bandwidth")
    // As many passes as a run of writing has tokens.
    let passes = writtenTokens
    var sum: UInt64 = 0
    var readTimes: [Double] = []
    let writeTimes = try repetition.values {
      let took = try seconds { try decoding.decode(far: false) }
      readTimes.append(seconds { for _ in 0..<passes { sum &+= reading.pass() } })
      return took
    }
    withExtendedLifetime(sum) {}
    // Where the first run does not count.
    readTimes = readTimes.suffix(writeTimes.count)
    writeTokensPerSecond = Double(writtenTokens) / median(writeTimes)
    let limits = Self.reading(
      read: readTimes.map { Double(reading.bytes * passes) / $0 },
      written: writeTimes.map { Double(weights.bytes * passes) / $0 })
    readBytesPerSecond = limits.bytesPerSecond
    bandwidthShare = limits.share
    readWay = limits.isOfWriting ? "as writing does it" : reading.way.name
    progress("writing at context \(context)")
    try decoding.fill()
    meter.sample()
    model.releaseScratch()
    writeTokensPerSecondFar =
      Double(writtenTokens)
      / (try repetition.median { try seconds { try decoding.decode(far: true) } })
    meter.sample()
    peakAnonymousBytes = max(anonymous, meter.peaks.anonymous)

    int8OperationsPerSecond = peak.int8
    floatOperationsPerSecond = peak.float32
    let work = ModelWork(model.file)
    tileLimitSeconds = peak.seconds(work.tile)
    promptLimitSeconds = peak.seconds(work.prompt(tokens: promptTokens))
  }

  /// What reading allows, from pairs of measurements in bytes a second: nobody reads faster than reading allows, so writing
  /// that does has found a faster way.
  package static func reading(
    read: [Double], written: [Double]
  ) -> (bytesPerSecond: Double, share: Double, isOfWriting: Bool) {
    let (fastest, writing) = (median(read), median(written))
    let share = median(zip(written, read).map { $0 / $1 })
    return (max(fastest, writing), min(1, share), writing > fastest)
  }
}

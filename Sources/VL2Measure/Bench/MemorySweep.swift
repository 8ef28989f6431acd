import VL2Base
import VL2Quant
import VL2Run

/// How fast tokens are written under several budgets, beside the speed that the missed bytes allow at this
/// machine's speed of reading.
package struct MemorySweep: Sendable {
  /// Tokens written under one budget with one kind of routing.
  package struct Writing: Sendable, Encodable {
    package var tokensPerSecond: Double
    package var expertsTouched: Int
    /// nil if the file is memory-mapped.
    package var hitRate: Double?
    /// Bytes of experts that were not in memory, without wrong guesses.
    package var missedBytesPerToken: Double?
    package var readBytesPerToken: Double?
    package var guesses: Int?
    package var rightGuesses: Int?
    package var secondsWaited: Double?
    /// Tokens a second if only reading the missed bytes took time.
    package var diskTokensPerSecond: Double?
    /// Tokens a second if only the slower of two things took time: reading the missed bytes, or computing
    /// without ever waiting.
    package var allowedTokensPerSecond: Double?
    package var allowedShare: Double?

    enum CodingKeys: String, CodingKey {
      case guesses
      case tokensPerSecond = "tokens_per_second"
      case expertsTouched = "experts_touched"
      case hitRate = "hit_rate"
      case missedBytesPerToken = "missed_bytes_per_token"
      case readBytesPerToken = "read_bytes_per_token"
      case rightGuesses = "right_guesses"
      case secondsWaited = "seconds_waited"
      case diskTokensPerSecond = "disk_tokens_per_second"
      case allowedTokensPerSecond = "allowed_tokens_per_second"
      case allowedShare = "allowed_share"
    }
  }

  package struct Row: Sendable, Encodable {
    /// nil if the file is memory-mapped.
    package var budgetBytes: Int?
    package var slots: Int?
    /// Prefill of 256 random tokens, fewer in a short context, with nothing in memory but the page cache.
    package var promptSeconds: Double
    /// Random tokens, routed as the model routes them.
    package var routed: Writing
    /// Made-up routes: 45 % of the picks repeat from the token before.
    package var repeating: Writing
    package var peakAnonymousBytes: Int

    enum CodingKeys: String, CodingKey {
      case slots, routed, repeating
      case budgetBytes = "budget_bytes"
      case promptSeconds = "prompt_seconds"
      case peakAnonymousBytes = "peak_anonymous_bytes"
    }
  }

  /// Bytes a second of large reads that bypass the page cache.
  package private(set) var readBytesPerSecond = 0.0
  package private(set) var threads = 0
  package private(set) var tokens = 64
  package private(set) var rows: [Row] = []

  /// - Parameters:
  ///   - choices: the budgets.
  ///   - bytesPerSecond: the speed that reads are limited to.
  ///   - open: opens the model with a budget.
  /// - Throws: what opening and writing throw.
  package init(
    _ choices: [MemoryChoice], bytesPerSecond: Int?, open: (MemoryChoice) throws -> Model,
    progress: (String) -> Void
  ) throws {
    for choice in choices {
      progress("budget \(rows.count + 1) of \(choices.count)")
      let model = try open(choice)
      if rows.isEmpty {
        threads = model.threads
        readBytesPerSecond = try Self.readSpeed(model.file)
        if let bytesPerSecond { readBytesPerSecond = min(readBytesPerSecond, Double(bytesPerSecond)) }
      }
      rows.append(try measure(model))
    }
  }

  private static let repeated = 0.45

  private func measure(_ model: Model) throws -> Row {
    let language = model.config.language
    let positions = min(256 + 3 * tokens, model.contextLength)
    let prompt = min(256, positions / 2)
    var random = RandomBits(state: 2)
    let ids = random.numbers(positions, below: language.vocabularySize)
    let reading = try Reading(tokens: Array(ids[..<prompt]), written: positions - prompt, model: model)
    var written: [Int] = []
    func step(routes: [Int: [Int32]]? = nil) throws {
      written.append(ids[prompt + written.count])
      _ = model.decoder.likeliest(try reading.logits(after: written, routes: routes))
    }
    func goBack() {
      written = []
      reading.rewind()
    }
    let clock = ContinuousClock()
    let promptSeconds = try clock.measure { _ = try reading.logits() } / .seconds(1)
    // The same tokens are written over and over, so that every budget sees the same.
    func write(_ body: () throws -> Void) throws -> Writing {
      for _ in 0..<min(16, tokens) { try body() }
      goBack()
      let before = model.weightStatistics
      let seconds = try clock.measure { for _ in 0..<tokens { try body() } } / .seconds(1)
      goBack()
      return writing(seconds: seconds, before, model.weightStatistics, file: model.file)
    }
    let routed = try write { try step() }
    var repeating: Writing = routed
    if let routing = language.routing {
      var routes = SyntheticRoutes(
        experts: routing.experts, kept: routing.expertsPerToken, repeated: Self.repeated, seed: 7)
      let layers = (0..<language.layers).filter(language.hasExperts)
      repeating = try write {
        var forced: [Int: [Int32]] = [:]
        for layer in layers { forced[layer] = routes.next(layer: layer).map(Int32.init) }
        try step(routes: forced)
      }
    }
    let statistics = model.weightStatistics
    return Row(
      budgetBytes: statistics.budgetBytes, slots: statistics.slots, promptSeconds: promptSeconds,
      routed: routed,
      repeating: repeating, peakAnonymousBytes: statistics.decoderPeakBytes)
  }

  private func writing(
    seconds: Double, _ before: WeightStatistics, _ after: WeightStatistics, file: PackedFile
  ) -> Writing {
    func grown(_ field: KeyPath<WeightStatistics, Int?>) -> Int? {
      guard let now = after[keyPath: field], let then = before[keyPath: field] else { return nil }
      return now - then
    }
    let touched = after.expertsTouched - before.expertsTouched
    var writing = Writing(tokensPerSecond: Double(tokens) / seconds, expertsTouched: touched)
    guard let hits = grown(\.hits), let bytes = grown(\.bytesRead) else { return writing }
    let experts = file.manifest.sections.filter { $0.name.contains(".expert.") }
    let mean = Double(experts.reduce(0) { $0 + $1.storedLength }) / Double(max(1, experts.count))
    let missed = Double(touched - hits) * mean / Double(tokens)
    writing.hitRate = Double(hits) / Double(max(1, touched))
    writing.missedBytesPerToken = missed
    writing.readBytesPerToken = Double(bytes) / Double(tokens)
    writing.guesses = grown(\.guesses)
    writing.rightGuesses = grown(\.rightGuesses)
    writing.secondsWaited = (after.secondsWaited ?? 0) - (before.secondsWaited ?? 0)
    let full = Double(tokens) / max(1e-9, seconds - (writing.secondsWaited ?? 0))
    if missed > 0 { writing.diskTokensPerSecond = readBytesPerSecond / missed }
    let allowed = min(full, writing.diskTokensPerSecond ?? .infinity)
    writing.allowedTokensPerSecond = allowed
    writing.allowedShare = writing.tokensPerSecond / allowed
    return writing
  }

  /// How fast sections are read one after another, bypassing the page cache: for just over a second, or until
  /// all are read.
  private static func readSpeed(_ file: PackedFile) throws -> Double {
    let reader = SectionReader(file)
    let sections = file.manifest.sections.filter { $0.name.contains(".expert.") }
    let memory = try PageRegion(bytes: sections.map { SectionReader.room($0.storedLength) }.max() ?? 1)
    var bytes = 0
    let begin = ContinuousClock.now
    for section in sections {
      try reader.read(section.storedLength, from: section.offset, into: memory.base)
      bytes += section.storedLength
      if ContinuousClock.now - begin > .seconds(1) { break }
    }
    return Double(bytes) / ((ContinuousClock.now - begin) / .seconds(1))
  }
}

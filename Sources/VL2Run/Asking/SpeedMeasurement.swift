import VL2Base

extension SpeedEstimate {
  /// Moves each figure half the way towards what an answer took. A figure stays where the answer has too few
  /// tiles or tokens to measure it by.
  public mutating func learn(from answer: Answer) {
    let (counts, seconds) = (answer.counts, answer.counts.seconds)
    if counts.tiles > 0, seconds.vision > 0 {
      tileSeconds = (tileSeconds + seconds.vision / Double(counts.tiles)) / 2
    }
    if counts.readTokens >= 64, seconds.prefill > 0 {
      promptTokensPerSecond = (promptTokensPerSecond + Double(counts.readTokens) / seconds.prefill) / 2
    }
  }

  /// What an answer took; nil where it has too few tiles or too few tokens to measure by.
  public init?(_ answer: Answer) {
    let (counts, seconds) = (answer.counts, answer.counts.seconds)
    guard counts.tiles > 0, seconds.vision > 0, counts.readTokens >= 64, seconds.prefill > 0 else {
      return nil
    }
    self.init(
      tileSeconds: seconds.vision / Double(counts.tiles),
      promptTokensPerSecond: Double(counts.readTokens) / seconds.prefill)
  }
}

extension Model {
  /// Measures this machine with one tile of noise and 128 tokens.
  ///
  /// - Throws: `PackedFileError` where weights cannot be read.
  func measureSpeed() throws -> SpeedEstimate {
    var random = RandomBits(state: 1)
    let side = config.processor.candidateResolutions[0].width
    let tile = TiledPicture(
      random.picture(width: side, height: side), grid: TileGrid(columns: 1, rows: 1),
      processor: config.processor)
    try beginRequest()
    // The first run reads the weights from storage and is not timed.
    _ = try encode(tile)
    let clock = ContinuousClock()
    let tileTime = try clock.measure { _ = try encode(tile) }
    let count = min(128, contextLength)
    let tokens = random.numbers(count, below: config.language.vocabularySize)
    var readTime = Duration.zero
    for _ in 0..<2 {
      let reading = try Reading(tokens: tokens, written: 0, model: self)
      readTime = try clock.measure { _ = try reading.logits() }
    }
    releaseScratch()
    return SpeedEstimate(
      tileSeconds: tileTime / .seconds(1),
      promptTokensPerSecond: Double(count) / max(readTime / .seconds(1), 1e-6))
  }
}

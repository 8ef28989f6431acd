import VL2Base

/// How fast a machine answers with a model: enough to say beforehand how long a question will take.
public struct SpeedEstimate: Sendable, Equatable, Codable {
  /// Seconds of the tower and the projector for one tile.
  public var tileSeconds: Double
  public var promptTokensPerSecond: Double

  public init(tileSeconds: Double, promptTokensPerSecond: Double) {
    self.tileSeconds = tileSeconds
    self.promptTokensPerSecond = promptTokensPerSecond
  }

  /// Seconds until the answer begins.
  public func seconds(_ plan: TilePlan) -> Double {
    Double(plan.total) * tileSeconds + Double(plan.promptTokens) / promptTokensPerSecond
  }

  /// Moves each figure half the way towards what an answer took. A figure stays where the answer has too few
  /// tiles or tokens to measure it by.
  public mutating func learn(from answer: Session.Answer) {
    let read = answer.promptTokens - answer.cachedTokens
    if answer.tiles > 0, answer.seconds.vision > 0 {
      tileSeconds = (tileSeconds + answer.seconds.vision / Double(answer.tiles)) / 2
    }
    if read >= 64, answer.seconds.prefill > 0 {
      promptTokensPerSecond = (promptTokensPerSecond + Double(read) / answer.seconds.prefill) / 2
    }
  }

  /// What an answer took; nil where it has too few tiles or too few tokens to measure by.
  public init?(_ answer: Session.Answer) {
    let read = answer.promptTokens - answer.cachedTokens
    guard answer.tiles > 0, answer.seconds.vision > 0, read >= 64, answer.seconds.prefill > 0 else {
      return nil
    }
    tileSeconds = answer.seconds.vision / Double(answer.tiles)
    promptTokensPerSecond = Double(read) / answer.seconds.prefill
  }
}

extension Model {
  /// Measures this machine with one tile of noise and 128 tokens.
  ///
  /// - Throws: `PackedFileError` where weights cannot be read.
  public func measureSpeed() throws -> SpeedEstimate {
    var random = RandomBits(state: 1)
    let side = config.processor.candidateResolutions[0].width
    let tile = TiledPicture(
      random.picture(width: side, height: side), processor: config.processor, cropping: false)
    try beginRequest()
    // The first run reads the weights from storage and is not timed.
    _ = try encode(tile)
    let clock = ContinuousClock()
    let tileTime = try clock.measure { _ = try encode(tile) }
    let count = min(128, config.language.maxPositions)
    let tokens = random.numbers(count, below: config.language.vocabularySize)
    let cache = try decoder.makeCache(positions: count)
    let buffer = AlignedBuffer()
    defer { withExtendedLifetime(buffer) {} }
    let hidden = config.language.hiddenSize
    var readTime = Duration.zero
    for _ in 0..<2 {
      cache.truncate(to: 0)
      let rows = Rows(buffer.reserve(count * hidden), count: count, columns: hidden)
      for (row, token) in tokens.enumerated() { try decoder.embed(token, into: rows[row]) }
      readTime = try clock.measure { try decoder.forward(rows, cache: cache) }
    }
    releaseScratch()
    return SpeedEstimate(
      tileSeconds: tileTime / .seconds(1),
      promptTokensPerSecond: Double(count) / max(readTime / .seconds(1), 1e-6))
  }
}

extension Session {
  /// The largest tile limit with which a request's answer begins within `seconds`; the fewest tiles where no
  /// limit does.
  ///
  /// - Throws: `PromptError`.
  public func tileLimit(_ request: Request, seconds: Double, speed: SpeedEstimate) throws -> TileLimit {
    let all = try plan(request).total
    var request = request
    for tiles in stride(from: all, to: request.pictures.count, by: -1) {
      request.tileLimit = .tiles(tiles)
      if speed.seconds(try plan(request)) <= seconds { return request.tileLimit }
    }
    return .tiles(request.pictures.count)
  }
}

/// How fast a machine answers with a model: enough to say beforehand how long a question will take.
public struct SpeedEstimate: Sendable, Equatable, Codable {
  /// Seconds of the tower and the projector for one tile.
  public var tileSeconds: Double
  public var promptTokensPerSecond: Double
  /// How many threads write tokens best; nil where that is not known.
  package var writingThreads: Int?

  public init(tileSeconds: Double, promptTokensPerSecond: Double) {
    self.tileSeconds = tileSeconds
    self.promptTokensPerSecond = promptTokensPerSecond
  }

  /// Seconds until the answer begins, where what was asked before is kept.
  public func seconds(_ plan: TilePlan) -> Double {
    Double(plan.newTiles) * tileSeconds + Double(plan.newTokens) / promptTokensPerSecond
  }
}

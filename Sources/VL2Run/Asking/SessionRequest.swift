extension Session {
  /// What is asked for.
  public struct Request {
    /// System, user and assistant turns, the last of them the user's.
    public var turns: [Turn]
    public var pictures: [Picture]
    /// Tokens to write at the most.
    public var maxTokens: Int
    public var sampling: Sampling
    /// End an answer that goes round in circles.
    public var stopsLoops = true
    /// The answer is a text of this schema, whole before `maxTokens` are written.
    public var schema: JSONSchema?
    public var tileLimit = TileLimit.context
    /// The most tiles of the first pictures, instead of `tileLimit`: those that an earlier answer's plan had.
    public var fixedTiles: [Int] = []

    public init(
      turns: [Turn], pictures: [Picture] = [], maxTokens: Int = 512, sampling: Sampling = .greedy
    ) {
      self.turns = turns
      self.pictures = pictures
      self.maxTokens = maxTokens
      self.sampling = sampling
    }
  }
}

extension Session {
  /// A question with its settings.
  public struct Request {
    /// System, user and assistant turns, the last of them the user's.
    public var turns: [Turn]
    public var pictures: [Picture]
    /// The most tokens to write.
    public var maxTokens: Int
    public var sampling: Sampling
    /// Whether to end an answer that repeats itself over and over (`LoopWatch`).
    public var stopsLoops = true
    /// A schema that the answer has to follow; the answer is complete before `maxTokens` are written.
    public var schema: JSONSchema?
    public var tileLimit = TileLimit.context
    /// The most tiles of each of the first pictures, instead of `tileLimit`: the numbers in an earlier
    /// answer's plan.
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

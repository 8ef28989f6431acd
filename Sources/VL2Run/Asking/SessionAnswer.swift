extension Session {
  /// Why an answer ended.
  public enum Ending: String, Sendable, Codable {
    /// The model wrote its end token.
    case complete
    /// `maxTokens` were written.
    case maxTokens = "max_tokens"
    /// The context is full.
    case context
    /// `onText` asked to stop.
    case stopped
    /// The answer repeated itself over and over (`LoopWatch`).
    case loop
  }

  /// An answer and what it took.
  public struct Answer: Sendable {
    public var text: String
    /// Ids of the tokens that were written, without the end token.
    public var tokens: [Int]
    public var ending: Ending
    public var promptTokens: Int
    /// How many of these were in the cache from earlier requests of this session.
    public var cachedTokens: Int
    /// Tiles that went through the vision tower.
    public var tiles: Int
    /// How many tiles the pictures had.
    public var plan: TilePlan
    public var seconds: StageSeconds
    public var memory: MemoryPeaks
  }

  /// Seconds of each stage.
  public struct StageSeconds: Sendable {
    /// Cutting pictures into tiles.
    public var tiling = 0.0
    /// Tower and projector.
    public var vision = 0.0
    /// Sending the prompt through the decoder, up to the logits of the first token.
    public var prefill = 0.0
    /// Picking the first token, and all further tokens.
    public var decode = 0.0
  }

  /// What a session is doing before the answer begins.
  public enum Progress: Sendable {
    /// Tiles that went through the vision tower.
    case encoding(tiles: Int, of: Int)
    /// Prompt tokens that went through the decoder.
    case reading(tokens: Int, of: Int)
  }
}

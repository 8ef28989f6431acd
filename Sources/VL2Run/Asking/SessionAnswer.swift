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
    /// The answer went round in circles.
    case loop
  }

  /// An answer and what it took.
  public struct Answer: Sendable {
    public var text: String
    /// Ids written, the end token left out.
    public var tokens: [Int]
    public var ending: Ending
    public var promptTokens: Int
    /// Of these, the ones that an earlier request of this session had read.
    public var cachedTokens: Int
    /// Tiles that went through the vision tower.
    public var tiles: Int
    /// How the pictures were looked at.
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
    /// The prompt through the decoder, the first token picked.
    public var prefill = 0.0
    /// All further tokens.
    public var decode = 0.0
  }

  /// What a session is doing before the answer begins.
  public enum Progress: Sendable {
    /// Tiles through the vision tower.
    case encoding(tiles: Int, of: Int)
    /// Prompt tokens through the decoder.
    case reading(tokens: Int, of: Int)
  }
}

/// Seconds of each stage of an answer.
public struct StageSeconds: Sendable, Equatable {
  /// Waiting for other questions.
  public var queued = 0.0
  /// Cutting pictures into tiles.
  public var tiling = 0.0
  /// Tower and projector.
  public var vision = 0.0
  /// Sending the prompt through the decoder, up to the logits of the first token.
  public var prefill = 0.0
  /// Picking the first token, and all further tokens.
  public var decode = 0.0
}

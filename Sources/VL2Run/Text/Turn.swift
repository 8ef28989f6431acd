/// Who speaks.
public enum Role: String, Sendable { case system, user, assistant }

/// One contribution to a conversation.
public struct Turn: Sendable {
  public var role: Role
  /// In a user's text `<image>` marks the places of pictures.
  public var text: String
  /// The token ids that the model wrote for an assistant's text. Without them the text is tokenised again.
  /// That may give other ids, and a session that caches then has to compute the turn again.
  public var tokens: [Int]?

  public init(role: Role, text: String, tokens: [Int]? = nil) {
    self.role = role
    self.text = text
    self.tokens = tokens
  }
}

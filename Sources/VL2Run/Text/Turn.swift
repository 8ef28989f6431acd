/// Who speaks.
public enum Role: String, Sendable { case system, user, assistant }

/// One contribution to a conversation.
public struct Turn: Sendable {
  public var role: Role
  /// In a user's text `<image>` marks the places of pictures.
  public var text: String
  /// The ids that the model wrote an assistant's text as. Without them the text is tokenised again, which may give
  /// others, and a session that caches has to read the turn anew.
  public var tokens: [Int]?

  public init(role: Role, text: String, tokens: [Int]? = nil) {
    self.role = role
    self.text = text
    self.tokens = tokens
  }
}

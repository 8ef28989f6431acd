/// Who speaks.
public enum Role: String, Sendable { case system, user, assistant }

/// One contribution to a conversation.
public struct Turn: Sendable {
  public var role: Role
  /// In a user's text `<image>` marks the places of pictures.
  public var text: String
  public init(role: Role, text: String) {
    self.role = role
    self.text = text
  }
}

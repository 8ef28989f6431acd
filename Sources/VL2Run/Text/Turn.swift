/// Who speaks.
public enum Role: String, Sendable { case system, user, assistant }

/// One contribution to a conversation.
public struct Turn: Sendable {
  /// A piece of a turn. Pieces are laid end to end, with nothing between them.
  public enum Part: Sendable {
    /// Text as it is: nothing in it becomes a special token, whatever it says.
    case text(String)
    /// Text of the caller's own in which special tokens count, such as `<|ref|>` (`Grounding.question`).
    /// Nothing that somebody else wrote belongs here.
    case trusted(String)
    /// A picture, in a user's turn. `mostTiles` holds for this picture alone, in place of the question's limit.
    case picture(Picture, mostTiles: Int? = nil)
  }

  public var role: Role
  /// White space at both ends of a turn is dropped, as the published processor does.
  public var parts: [Part]
  /// The token ids that the model wrote for an assistant's turn; without them the text is tokenised.
  package var tokens: [Int]?

  public init(role: Role, parts: [Part]) {
    self.role = role
    self.parts = parts
  }

  /// A turn of text alone.
  public init(role: Role, text: String) { self.init(role: role, parts: [.text(text)]) }

  /// A user's turn: each picture on a line of its own, then the text. The model was trained with this order.
  public static func user(_ text: String, pictures: [Picture] = []) -> Turn {
    .user([.text(text.strippedAsPython)], pictures: pictures)
  }

  /// The same, with text in parts.
  public static func user(_ parts: [Part], pictures: [Picture] = []) -> Turn {
    Turn(role: .user, parts: pictures.flatMap { [.picture($0), .text("\n")] } + parts)
  }

  public static func system(_ text: String) -> Turn { Turn(role: .system, text: text) }

  public static func assistant(_ text: String) -> Turn { Turn(role: .assistant, text: text) }

  /// The pictures of the turn.
  public var pictures: [Picture] {
    parts.compactMap { part in
      if case .picture(let picture, _) = part { picture } else { nil }
    }
  }

  /// The text of the turn, without its pictures.
  public var text: String {
    parts.map { part in
      switch part {
      case .text(let text), .trusted(let text): text
      case .picture: ""
      }
    }.joined()
  }
}

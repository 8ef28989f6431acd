import VL2Base

/// A conversation that cannot be laid out.
public enum PromptError: ReportableError, Equatable {
  /// The text has more or fewer `<image>` marks than there are pictures.
  case pictureCount(places: Int, pictures: Int)
  /// There are pictures and no user turn to put them in.
  case noUserTurn(pictures: Int)
  /// A picture stands in a turn of another role than the user's.
  case pictureOutsideUserTurn(Role)
  /// The prompt does not fit into the model's context.
  case tooLong(tokens: Int, limit: Int)

  public var kind: ErrorKind {
    switch self {
    case .pictureCount, .noUserTurn, .pictureOutsideUserTurn: .usage
    case .tooLong: .badData
    }
  }

  public var problem: String {
    switch self {
    case .pictureCount(let places, let pictures):
      "prompt: the text has \(places) <image> for \(pictures) pictures"
    case .noUserTurn(let pictures): "prompt: there is no user turn for \(pictures) pictures"
    case .pictureOutsideUserTurn(let role): "prompt: a picture stands in a turn of role \(role.rawValue)"
    case .tooLong(let tokens, let limit): "prompt: \(tokens) tokens exceed the model's context of \(limit)"
    }
  }

  public var hint: Hint {
    switch self {
    case .pictureCount: "write one <image> for each picture, or none"
    case .noUserTurn: "add a question"
    case .pictureOutsideUserTurn: "pictures belong into user turns"
    case .tooLong: "use fewer or smaller pictures or a shorter text"
    }
  }
}

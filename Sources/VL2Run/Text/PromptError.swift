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
  /// The same, and each picture takes as few tokens as one can, whatever its size: only `most` fit beside the text.
  case tooManyPictures(Int, most: Int, tokensEach: Int, tokens: Int, limit: Int)

  /// The tokens of a prompt that does not fit, and the context's.
  public var excess: (tokens: Int, limit: Int)? {
    switch self {
    case .tooLong(let tokens, let limit), .tooManyPictures(_, _, _, let tokens, let limit): (tokens, limit)
    case .pictureCount, .noUserTurn, .pictureOutsideUserTurn: nil
    }
  }

  public var kind: ErrorKind {
    switch self {
    case .pictureCount, .noUserTurn, .pictureOutsideUserTurn: .usage
    case .tooLong, .tooManyPictures: .badData
    }
  }

  public var problem: String {
    switch self {
    case .pictureCount(let places, let pictures):
      "prompt: the text has \(places) <image> for \(pictures) pictures"
    case .noUserTurn(let pictures): "prompt: there is no user turn for \(pictures) pictures"
    case .pictureOutsideUserTurn(let role): "prompt: a picture stands in a turn of role \(role.rawValue)"
    case .tooLong(let tokens, let limit): "prompt: \(tokens) tokens exceed the model's context of \(limit)"
    case .tooManyPictures(let count, _, let each, let tokens, let limit):
      "prompt: \(count) pictures of \(each) tokens each, \(tokens) with the text, exceed the model's context of \(limit)"
    }
  }

  public var hint: Hint {
    switch self {
    case .pictureCount: "write one <image> for each picture, or none"
    case .noUserTurn: "add a question"
    case .pictureOutsideUserTurn: "pictures belong into user turns"
    case .tooLong: "use fewer or smaller pictures or a shorter text"
    case .tooManyPictures(_, let most, _, _, _):
      "ask about \(most) at a time: their number counts, since a small picture takes as many tokens as a large one"
    }
  }
}

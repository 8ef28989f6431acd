import VL2Base

/// A model that cannot run.
public enum ModelError: ReportableError, Equatable {
  case tokenizerTooLarge(tokens: Int, vocabulary: Int)
  /// The context that was asked for is shorter or longer than may be.
  case contextLength(Int, most: Int)

  /// The shortest context that holds a question.
  static let shortestContext = 64

  public var kind: ErrorKind {
    switch self {
    case .tokenizerTooLarge: .badData
    case .contextLength: .usage
    }
  }

  public var problem: String {
    switch self {
    case .tokenizerTooLarge(let tokens, let vocabulary):
      "the tokeniser has \(tokens) tokens, the model's vocabulary \(vocabulary) rows"
    case .contextLength(let length, let most):
      "a context of \(length) tokens: this model takes \(Self.shortestContext) to \(most)"
    }
  }

  public var hint: Hint {
    switch self {
    case .tokenizerTooLarge: "the checkpoint's tokenizer.json belongs to another model"
    case .contextLength(let length, let most):
      "the \(length > most ? "longest" : "shortest") is \(.context, "\(length > most ? most : Self.shortestContext)")"
    }
  }
}

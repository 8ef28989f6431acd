import VL2Base

/// A model that cannot run.
public enum ModelError: ReportableError {
  case tokenizerTooLarge(tokens: Int, vocabulary: Int)

  public var kind: ErrorKind { .badData }

  public var problem: String {
    switch self {
    case .tokenizerTooLarge(let tokens, let vocabulary):
      "the tokeniser has \(tokens) tokens, the model's vocabulary \(vocabulary) rows"
    }
  }

  public var hint: Hint {
    switch self {
    case .tokenizerTooLarge: "the checkpoint's tokenizer.json belongs to another model"
    }
  }
}

import VL2Quant

/// A model that this version cannot run.
public enum ModelError: ReportableError {
  case unsupported(String)
  case tokenizerTooLarge(tokens: Int, vocabulary: Int)

  public var exitStatus: ExitStatus { .badData }

  public var description: String {
    switch self {
    case .unsupported(let what):
      "the model uses \(what), which this version does not run: use DeepSeek-VL2-Tiny"
    case .tokenizerTooLarge(let tokens, let vocabulary):
      "the tokeniser has \(tokens) tokens, the model's vocabulary \(vocabulary) rows: the checkpoint's tokenizer.json belongs to another model"
    }
  }
}

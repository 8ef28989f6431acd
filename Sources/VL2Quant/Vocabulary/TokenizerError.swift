import VL2Base

/// A tokeniser that cannot be used: a `tokenizer.json` with a part that is not implemented or not valid, or a
/// damaged section of a packed file.
public enum TokenizerError: ReportableError, Equatable {
  /// A part that is valid but that this program does not implement, for example `normalizer` "NFC".
  case notImplemented(part: String, value: String)
  /// A part that breaks the rules of its format.
  case malformed(part: String, problem: String)
  /// A compiled section in which `field` contradicts the rest.
  case damagedSection(field: String, problem: String)

  public var kind: ErrorKind { .badData }

  public var problem: String {
    switch self {
    case .notImplemented(let part, let value): "\(part): \(value) is not implemented"
    case .malformed(let part, let problem): "\(part): \(problem)"
    case .damagedSection(let field, let problem): "tokenizer section: \(field) \(problem)"
    }
  }

  public var hint: Hint {
    switch self {
    case .notImplemented: "this program reads the byte-level BPE of DeepSeek-VL2 (Tiny, Small, Base)"
    case .malformed: "fetch the file again from where the model was published"
    case .damagedSection: "pack the model again"
    }
  }
}

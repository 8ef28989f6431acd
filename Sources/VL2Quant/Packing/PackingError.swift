import VL2Base

/// A model that cannot be packed although its files are fine.
public enum PackingError: ReportableError, Equatable {
  /// No rule of the recipe matches a matrix.
  case noCode(tensor: String)
  /// The recipe asks for a code that the tensor cannot have.
  case unsuitableCode(section: String)

  public var kind: ErrorKind { .badData }

  public var problem: String {
    switch self {
    case .noCode(let tensor): "recipe: no rule matches \(tensor)"
    case .unsuitableCode(let section): "recipe: a matrix of \(section) cannot have the code that it asks for"
    }
  }

  public var hint: Hint {
    switch self {
    case .noCode: "end the recipe with a rule for the pattern *"
    case .unsuitableCode: "choose q4, int8, bf16 or f32"
    }
  }
}

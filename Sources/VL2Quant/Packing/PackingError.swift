/// A model that cannot be packed although its files are good.
public enum PackingError: ReportableError, Equatable {
  /// No rule of the recipe matches a matrix.
  case noCode(tensor: String)
  case noMemory(bytes: Int)

  public var exitStatus: ExitStatus {
    switch self {
    case .noCode: .badData
    case .noMemory: .unavailable
    }
  }

  public var description: String {
    switch self {
    case .noCode(let tensor):
      "recipe: no rule matches \(tensor); end the recipe with a rule for the pattern *"
    case .noMemory(let bytes):
      "no memory for a section of \(bytes) bytes; close other programs or choose a smaller code with --weights"
    }
  }
}

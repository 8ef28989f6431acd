/// A file that cannot be read.
public enum InputError: ReportableError, Equatable {
  /// The file does not exist.
  case missing(path: String)
  /// The system refused to read it.
  case unreadable(path: String, reason: SystemReason)
  /// It ends before the bytes that are to be read, or is shorter than its own header says.
  case truncated(path: String, expected: Int, actual: Int)

  public var kind: ErrorKind {
    switch self {
    case .missing: .noInput
    case .unreadable(_, let reason): reason.kind
    case .truncated: .badData
    }
  }

  public var problem: String {
    switch self {
    case .missing(let path): "\(path): no such file"
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason.problem)"
    case .truncated(let path, let expected, let actual):
      "\(path): holds \(actual) bytes where its header promises \(expected)"
    }
  }

  public var hint: Hint {
    switch self {
    case .missing: "check the path"
    case .unreadable(_, let reason): reason.hint
    case .truncated: "fetch the file again"
    }
  }
}

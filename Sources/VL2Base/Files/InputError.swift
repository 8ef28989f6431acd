/// A file that cannot be read.
public enum InputError: ReportableError, Equatable {
  /// It is not there.
  case missing(path: String)
  /// The system refused to read it; `reason` is its message and what to do.
  case unreadable(path: String, reason: String)
  /// It is shorter than what is read of it, or than its own head says.
  case truncated(path: String, expected: Int, actual: Int)

  public var kind: ErrorKind {
    switch self {
    case .missing: .noInput
    case .unreadable: .inputOutput
    case .truncated: .badData
    }
  }

  public var description: String {
    switch self {
    case .missing(let path): "\(path): no such file; check the path"
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .truncated(let path, let expected, let actual):
      "\(path): holds \(actual) bytes where its header promises \(expected); fetch the file again"
    }
  }
}

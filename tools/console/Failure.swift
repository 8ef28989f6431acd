import VL2Base

/// An error that a program detects itself.
public struct Failure: ReportableError {
  public var kind: ErrorKind
  public var problem: String
  public var hint: Hint

  public init(_ kind: ErrorKind, _ problem: String, _ hint: Hint = .none) {
    self.kind = kind
    self.problem = problem
    self.hint = hint
  }
}

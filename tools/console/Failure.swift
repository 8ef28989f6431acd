import VL2Base

/// A failure that a program finds by itself, in one line that says what to do.
public struct Failure: ReportableError {
  public var description: String
  public var kind: ErrorKind

  public init(_ kind: ErrorKind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

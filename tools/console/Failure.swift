import VL2Quant

/// A failure that a program finds by itself, in one line that says what to do.
public struct Failure: ReportableError {
  public var description: String
  public var exitStatus: ExitStatus

  public init(_ exitStatus: ExitStatus, _ description: String) {
    self.exitStatus = exitStatus
    self.description = description
  }
}

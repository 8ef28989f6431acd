import VL2Base

/// Items that cannot be evaluated. Its description names the file and, where there is one, the line.
public struct EvaluationError: ReportableError {
  public var kind: ErrorKind
  public var description: String

  init(_ kind: ErrorKind, _ path: String, line: Int? = nil, _ problem: String) {
    self.kind = kind
    description = path + (line.map { ", line \($0)" } ?? "") + ": " + problem
  }
}

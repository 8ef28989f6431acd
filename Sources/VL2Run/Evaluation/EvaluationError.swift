import VL2Quant

/// Items that cannot be evaluated. Its description names the file and, where there is one, the line.
public struct EvaluationError: ReportableError {
  public var exitStatus: ExitStatus
  public var description: String

  init(_ exitStatus: ExitStatus, _ path: String, line: Int? = nil, _ problem: String) {
    self.exitStatus = exitStatus
    description = path + (line.map { ", line \($0)" } ?? "") + ": " + problem
  }
}

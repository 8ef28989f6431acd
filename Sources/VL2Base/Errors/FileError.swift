/// A file that somebody wrote and that cannot be used: it is not there, or does not say what it should.
public struct FileError: ReportableError, Equatable {
  public var kind: ErrorKind
  public var path: String
  /// Where in the file, from 1; nil where it is about the whole.
  public var line: Int?
  /// What is wrong with it: the problem without the path.
  public var reason: String
  public var hint: Hint

  package init(
    _ kind: ErrorKind, _ path: String, line: Int? = nil, _ reason: String, _ hint: Hint = .none
  ) {
    self.kind = kind
    self.path = path
    self.line = line
    self.reason = reason
    self.hint = hint
  }

  public var problem: String { path + (line.map { ", line \($0)" } ?? "") + ": " + reason }
}

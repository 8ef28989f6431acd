/// A file that somebody wrote, but that cannot be used: it is missing or its content is invalid.
public struct FileError: ReportableError, Equatable {
  public var kind: ErrorKind
  public var path: String
  /// Line in the file, counted from 1; nil if the error is about the whole file.
  public var line: Int?
  /// What is wrong with the file, without its path.
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

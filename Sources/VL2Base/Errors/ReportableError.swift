/// An error that a user can act on. Its description is one line: what went wrong, then what to do, with plain
/// names for the settings. A program that calls them something else prints `line(naming:)`.
public protocol ReportableError: Error, CustomStringConvertible {
  /// What kind of error it is.
  var kind: ErrorKind { get }
  /// What went wrong, naming the file or value. One line, without advice.
  var problem: String { get }
  /// What to do; empty if the problem says it all.
  var hint: Hint { get }
}

extension ReportableError {
  /// Problem and hint as one line, even if a name in them holds characters that would break it.
  ///
  /// - Parameter naming: returns what the reader calls a setting: an option of a command line, a field of a
  ///   request.
  public func line(naming: (Setting, _ value: String?) -> String = Setting.plainName) -> String {
    UntrustedText.line(hint.isEmpty ? problem : "\(problem); \(hint.text(naming: naming))")
  }

  public var description: String { line() }
}

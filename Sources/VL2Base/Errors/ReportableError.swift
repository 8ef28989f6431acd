/// An error that a user can act on. Its description is one line: what was wrong, then what to do, with settings called
/// what they are. A program that knows them by other names writes `line(naming:)`.
public protocol ReportableError: Error, CustomStringConvertible {
  /// What sort of thing went wrong.
  var kind: ErrorKind { get }
  /// What was wrong, naming the file or value. One line without advice.
  var problem: String { get }
  /// What to do; empty where the problem says all there is to say.
  var hint: Hint { get }
}

extension ReportableError {
  /// Problem and hint in one line, whatever the names in it hold.
  ///
  /// - Parameter naming: what a setting is called where this is read: an option of a command line, a field of a request.
  public func line(naming: (Setting, _ value: String?) -> String = Setting.plainName) -> String {
    UntrustedText.line(hint.isEmpty ? problem : "\(problem); \(hint.text(naming: naming))")
  }

  public var description: String { line() }
}

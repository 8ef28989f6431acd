/// Exit statuses of sysexits(3) that vl2 programs use.
public enum ExitStatus: Int32, Sendable {
  case usage = 64
  case badData = 65
  case noInput = 66
  case unavailable = 69
  case inputOutput = 74
  case busy = 75
}

/// An error whose description is one line that a user can act on: it names the file or value, says what was
/// wrong and what to do.
public protocol ReportableError: Error, CustomStringConvertible {
  /// What a program that ends because of this error exits with.
  var exitStatus: ExitStatus { get }
}

/// What sort of thing went wrong. Whoever reports an error chooses by it: a program its exit status, a server the status
/// of its response.
public enum ErrorKind: Sendable, CaseIterable {
  /// What was asked for cannot be: an option, a request.
  case usage
  /// A model, a picture or another file does not hold what it should.
  case badData
  /// What is to be read is not there, or not readable.
  case noInput
  /// The work needs more memory than it may take.
  case tooLittleMemory
  /// A library, a device or another program that the work needs is missing.
  case unavailable
  /// Somebody else is at it; trying again later may help.
  case busy
  /// Reading or writing failed.
  case inputOutput
  /// Whoever asked took it back.
  case cancelled
}

/// What kind of error occurred. Whoever reports the error acts on it: a program picks its exit status, a
/// server the status of its response.
public enum ErrorKind: Sendable, CaseIterable {
  /// An option or a request asks for something that is not possible.
  case usage
  /// A model, a picture or another file has invalid content.
  case badData
  /// The input does not exist or cannot be read.
  case noInput
  /// The work needs more memory than it is allowed to take.
  case tooLittleMemory
  /// A library, a device or another program that the work needs is missing.
  case unavailable
  /// Somebody else is using it; trying again later may help.
  case busy
  /// Reading or writing failed.
  case inputOutput
  /// Whoever asked for the work cancelled it.
  case cancelled
}

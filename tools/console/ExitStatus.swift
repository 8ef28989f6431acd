import VL2Base

/// Exit statuses of sysexits(3) that vl2 programs use.
public enum ExitStatus: Int32, Sendable {
  case usage = 64
  case badData = 65
  case noInput = 66
  case unavailable = 69
  case inputOutput = 74
  case busy = 75
  /// The status that a shell reports for a program that Ctrl-C ended.
  case cancelled = 130

  /// The exit status of a program that ends because of an error of this kind.
  public init(_ kind: ErrorKind) {
    switch kind {
    case .usage: self = .usage
    case .badData: self = .badData
    case .noInput: self = .noInput
    case .tooLittleMemory, .unavailable: self = .unavailable
    case .inputOutput: self = .inputOutput
    case .busy: self = .busy
    case .cancelled: self = .cancelled
    }
  }
}

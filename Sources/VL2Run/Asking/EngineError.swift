import VL2Base

/// An engine that does not answer.
public enum EngineError: ReportableError, Equatable {
  /// As many questions wait as may.
  case busy(waiting: Int)
  /// The events of an answer were read to their end before.
  case readTwice
  /// An error that says nothing of itself.
  case unexpected(String)

  public var kind: ErrorKind {
    switch self {
    case .busy: .busy
    case .readTwice: .usage
    case .unexpected: .inputOutput
    }
  }

  public var problem: String {
    switch self {
    case .busy(let waiting): "\(waiting) questions are waiting for an answer already"
    case .readTwice: "the events of this answer were read before"
    case .unexpected(let text): text
    }
  }

  public var hint: Hint {
    switch self {
    case .busy: "ask again later"
    case .readTwice: "read the events of an answer once"
    case .unexpected: .none
    }
  }
}

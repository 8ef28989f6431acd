import VL2Base

/// A camera that gives no frames.
package enum SourceError: ReportableError, Equatable {
  /// The program that frames come from has ended; `reason` is how, and what it said.
  case ended(source: String, reason: String)
  case unreadable(source: String, reason: String)
  case noFolder(path: String)
  /// Nothing like it is known.
  case unknown(source: String)
  /// It is the wrong way round, or lacks something.
  case malformed(source: String, reason: String)

  package var kind: ErrorKind {
    switch self {
    case .ended, .unreadable: .unavailable
    case .noFolder: .noInput
    case .unknown, .malformed: .usage
    }
  }

  package var problem: String {
    switch self {
    case .ended(let source, let reason): "\(source): no more frames: \(reason)"
    case .unreadable(let source, let reason): "\(source): cannot be read: \(reason)"
    case .noFolder(let path): "\(path): no such folder"
    case .unknown(let source): "\(source): no camera that is known"
    case .malformed(let source, let reason): "\(source): \(reason)"
    }
  }

  package var hint: Hint {
    switch self {
    case .ended: "run the program by hand to see more"
    case .unreadable: "check the path and its permissions"
    case .noFolder: "check the path"
    case .unknown, .malformed:
      "give - for MJPEG on standard input, /dev/video0, a folder, command:LINE, an rtsp:// stream, or the http:// address of a still"
    }
  }
}

/// A program that was to be started, or that was started and did not do its work.
package enum ChildError: ReportableError, Equatable {
  /// There is no such program.
  case missing(program: String)
  /// The system refused to start it.
  case notStarted(program: String, reason: String)
  /// It ended otherwise than with status 0; `lastLine` is the last that it wrote to standard error.
  case failed(program: String, end: ChildEnd, lastLine: String)
  /// It took more seconds than it may, and was ended.
  case tooLong(program: String, seconds: Double)
  /// It wrote more bytes than it may, and was ended.
  case tooMuch(program: String, bytes: Int)

  package var kind: ErrorKind { .unavailable }

  package var problem: String {
    switch self {
    case .missing(let program): "\(program): no such program"
    case .notStarted(let program, let reason): "\(program): cannot be started: \(reason)"
    case .failed(let program, let end, let lastLine):
      "\(program): \(end)" + (lastLine.isEmpty ? "" : ": \(lastLine)")
    case .tooLong(let program, let seconds):
      "\(program): took more than \(NumberText.fixed(seconds, seconds < 10 ? 1 : 0)) s and was ended"
    case .tooMuch(let program, let bytes): "\(program): wrote more than \(bytes) bytes and was ended"
    }
  }

  package var hint: Hint {
    switch self {
    // Those that this project calls by name are in packages of theirs; where others come from, whoever named them knows.
    case .missing(let program) where ["curl", "ffmpeg"].contains(program):
      "install the Debian package \(program): 'apt install \(program)'"
    case .missing: "install it, or give the path of another"
    case .notStarted: "check that it is a program for this machine, and the limits of processes and memory"
    case .failed: "run it by hand to see more"
    case .tooLong, .tooMuch: "check what it does"
    }
  }
}

/// How a child ended.
package enum ChildEnd: Sendable, Equatable, CustomStringConvertible {
  case status(Int32)
  case signal(Int32)

  package var description: String {
    switch self {
    case .status(let number): "ended with status \(number)"
    case .signal(let number): "ended by signal \(number)"
    }
  }
}

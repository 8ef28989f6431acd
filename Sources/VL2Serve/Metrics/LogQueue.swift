import VL2Base

/// Writes lines to a log on a thread of its own: whoever reads the log may be slow, and requests do not wait for that.
final class LogQueue: Sendable {
  private struct State {
    var lines: [String] = []
    var dropped = 0
    var isWriting = false
    var isEnded = false
  }

  /// Lines that may wait. What is more is counted and dropped.
  private static let mostLines = 1000

  private let write: @Sendable (String) -> Void
  private let state = Monitor(State())
  private let hasThread: Bool

  /// - Parameter write: called with one line after the other.
  init(_ write: @escaping @Sendable (String) -> Void) {
    self.write = write
    // Where the system makes no thread, lines are written at once.
    hasThread = (try? SystemThread.start("vl2-log") { [state] in Self.serve(state, write) }) != nil
  }

  deinit { state.change { $0.isEnded = true } }

  func add(_ line: String) {
    guard hasThread else { return write(line) }
    state.change { state in
      if state.lines.count < Self.mostLines { state.lines.append(line) } else { state.dropped += 1 }
    }
  }

  /// Whether everything is written.
  var isEmpty: Bool { state.withLock { $0.lines.isEmpty && !$0.isWriting } }

  private static func serve(_ state: Monitor<State>, _ write: @Sendable (String) -> Void) {
    while true {
      let lines = state.wait { state -> [String]? in
        state.isWriting = !state.lines.isEmpty
        if state.lines.isEmpty { return state.isEnded ? [] : nil }
        defer { (state.lines, state.dropped) = ([], 0) }
        return state.dropped == 0
          ? state.lines
          : state.lines + ["\(state.dropped) more lines were dropped: the log is read too slowly"]
      }
      if lines.isEmpty { return }
      for line in lines { write(line) }
    }
  }
}

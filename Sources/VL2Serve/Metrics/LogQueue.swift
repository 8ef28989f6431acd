import Synchronization
import VL2Base

/// Writes lines to a log on a thread of its own: whoever reads the log may be slow, and requests do not wait for that.
final class LogQueue: Sendable {
  /// Lines that may wait. What is more is counted and dropped.
  private static let mostLines = 1000

  private let write: @Sendable (String) -> Void
  private let thread: SerialThread
  private let waiting = Atomic<Int>(0)
  private let dropped = Atomic<Int>(0)

  /// - Parameter write: called with one line after the other.
  /// - Throws: `ThreadError`.
  init(_ write: @escaping @Sendable (String) -> Void) throws(ThreadError) {
    self.write = write
    thread = try SerialThread("vl2-log")
  }

  func add(_ line: String) {
    guard waiting.add(1, ordering: .relaxed).newValue <= Self.mostLines else {
      waiting.subtract(1, ordering: .relaxed)
      dropped.add(1, ordering: .relaxed)
      return
    }
    thread.add { [self] in
      let dropped = dropped.exchange(0, ordering: .relaxed)
      if dropped > 0 { write("\(dropped) lines are left out: they came faster than they could be written") }
      write(line)
      waiting.subtract(1, ordering: .releasing)
    }
  }

  /// Whether everything is written.
  var isEmpty: Bool { waiting.load(ordering: .acquiring) == 0 }
}

import Glibc
import Synchronization

/// Standard error: messages, and progress where it is a terminal.
enum Console {
  /// Writes one line.
  static func error(_ line: String) {
    write(line + "\n")
  }

  fileprivate static func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}

/// A line that says how far long work is, on a terminal only. May be updated from any thread.
final class ProgressLine: Sendable {
  private let isShown = isatty(STDERR_FILENO) == 1
  private let shown = Mutex("")

  /// Replaces the line; `fraction` is in 0...1.
  func update(_ fraction: Double, _ what: String) {
    guard isShown else { return }
    let line = "\(Int(fraction * 100)) %  \(what)"
    shown.withLock { shown in
      guard line != shown else { return }
      shown = line
      Console.write("\r\u{1B}[K" + line)
    }
  }

  /// Clears the line.
  func end() {
    shown.withLock { shown in
      if !shown.isEmpty { Console.write("\r\u{1B}[K") }
      shown = ""
    }
  }
}

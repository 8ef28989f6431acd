import Foundation
import VL2Run

/// A line on standard error that says what goes on, where that is a terminal; nothing in a pipe.
struct StatusLine {
  private let onTerminal = isatty(STDERR_FILENO) == 1
  private var shown = 0

  mutating func show(_ text: String) {
    guard onTerminal else { return }
    let blanks = String(repeating: " ", count: max(0, shown - text.count))
    write("\r\(text)\(blanks)")
    shown = text.count
  }

  /// Says what a session is doing.
  mutating func show(_ progress: Session.Progress) {
    switch progress {
    case .encoding(let tiles, let all): show("looking: \(tiles) of \(all) tiles")
    case .reading(let tokens, let all): show("reading: \(tokens) of \(all) tokens")
    }
  }

  /// Leaves the line empty.
  mutating func clear() {
    guard onTerminal, shown > 0 else { return }
    write("\r\(String(repeating: " ", count: shown))\r")
    shown = 0
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

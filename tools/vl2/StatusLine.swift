import Foundation
import VL2Console
import VL2Run

/// A line on standard error that says what goes on, where that is a terminal; nothing in a pipe.
struct StatusLine {
  private var shown = 0

  mutating func show(_ text: String) {
    guard Terminal.isWatched else { return }
    let blanks = String(repeating: " ", count: max(0, shown - text.count))
    Console.show("\r\(text)\(blanks)")
    shown = text.count
  }

  /// Says what a session is doing.
  mutating func show(_ progress: Session.Progress) {
    switch progress {
    case .encoding(let tiles, let all): show("looking: \(tiles) of \(all) \(all == 1 ? "tile" : "tiles")")
    case .reading(let tokens, let all): show("reading: \(tokens) of \(all) tokens")
    }
  }

  /// Leaves the line empty.
  mutating func clear() {
    guard shown > 0 else { return }
    Console.show("\r\(String(repeating: " ", count: shown))\r")
    shown = 0
  }
}

import Glibc
import Synchronization
import VL2Base

/// A line on standard error that says what the program is doing, if standard error is a terminal. In a pipe
/// nothing is written. May be used from any thread.
package final class StatusLine: Sendable {
  private struct State {
    var shown = ""
    var fraction = 0.0
    /// The basis of the estimate: a time, and how far the work was then.
    var begin = ContinuousClock.now
    var first = 0.0
  }

  private static let barWidth = 24

  private let isShown = Terminal.isWatched
  private let state = Mutex(State())

  package init() {}

  /// Replaces the line.
  package func show(_ text: String) {
    guard isShown else { return }
    state.withLock { Self.show(text, &$0) }
  }

  /// Replaces the line by a bar that shows how far long work is, in 0...1, and how much time is left.
  package func show(_ fraction: Double, _ what: String) {
    guard isShown else { return }
    state.withLock { state in
      // A jump is work that an earlier run did. It says nothing about the time that the rest takes.
      if fraction > state.fraction + 0.08 || state.shown.isEmpty {
        state.begin = .now
        state.first = fraction
      }
      state.fraction = fraction
      let elapsed = (ContinuousClock.now - state.begin) / .seconds(1)
      Self.show(Self.bar(fraction, what, elapsed: elapsed, from: state.first), &state)
    }
  }

  /// Clears the line.
  package func clear() {
    state.withLock { state in
      if !state.shown.isEmpty { Console.show("\r\u{1B}[K") }
      state.shown = ""
    }
  }

  private static func show(_ text: String, _ state: inout State) {
    // A line that wraps cannot be overwritten.
    let line = String(UntrustedText.line(text).prefix(max(1, Terminal.columns(STDERR_FILENO) - 1)))
    guard line != state.shown else { return }
    state.shown = line
    Console.show("\r\u{1B}[K" + line)
  }

  private static func bar(
    _ fraction: Double, _ what: String, elapsed: Double, from first: Double
  ) -> String {
    let done = Int((min(1, max(0, fraction)) * Double(barWidth)).rounded(.down))
    let bar = String(repeating: "█", count: done) + String(repeating: "░", count: barWidth - done)
    let percent = String(Int(fraction * 100))
    var line = "\(bar) \(String(repeating: " ", count: max(0, 3 - percent.count)))\(percent) %"
    // Any earlier, an estimate is not worth reading.
    if elapsed > 3, fraction > first, fraction < 1 {
      line += "  " + duration(elapsed * (1 - fraction) / (fraction - first)) + " left"
    }
    return line + "  " + what
  }

  private static func duration(_ seconds: Double) -> String {
    switch seconds {
    case ..<100: "\(Int(seconds.rounded(.up))) s"
    case ..<6000: "\(Int((seconds / 60).rounded(.up))) min"
    default: "\(Int((seconds / 3600).rounded(.up))) h"
    }
  }
}

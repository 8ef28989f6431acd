import VL2Base
import VL2Run

/// What is seen of an answer while it comes, and that the answer itself does not say.
final class AnswerWatch: Sendable {
  struct Seen {
    /// Seconds from the question's arrival to the first word.
    var firstWordSeconds: Double?
    /// Tokens of the prompt that went through the decoder so far.
    var readTokens = 0
  }

  let route: String
  private let arrived: ContinuousClock.Instant
  private let state = Monitor(Seen())

  /// - Parameter arrived: when the question's head was there.
  init(route: String, arrived: ContinuousClock.Instant) {
    self.route = route
    self.arrived = arrived
  }

  var seconds: Double { (ContinuousClock.now - arrived) / .seconds(1) }

  var seen: Seen { state.withLock { $0 } }

  func see(_ event: AnswerEvent) {
    let seconds = seconds
    state.withLock { seen in
      switch event {
      case .reading(let tokens, _): seen.readTokens = tokens
      case .text: if seen.firstWordSeconds == nil { seen.firstWordSeconds = seconds }
      default: break
      }
    }
  }
}

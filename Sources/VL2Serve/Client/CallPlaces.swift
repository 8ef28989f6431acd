import VL2Base

/// How many requests a server is sent at a time: as many as are wanted, fewer where it is full, slowly more again where it
/// answers. The earliest request of those that wait goes first, so that none is overtaken again and again.
final class CallPlaces: Sendable {
  private struct State {
    var allowed: Double
    var taken = 0
    var waiting: Set<Int> = []
    var isStopped = false
  }

  private let most: Double
  private let state: Monitor<State>

  /// - Parameter most: requests at a time.
  init(_ most: Int) {
    self.most = Double(max(1, most))
    state = Monitor(State(allowed: self.most))
  }

  /// Waits for a place.
  ///
  /// - Parameter number: of the request; smaller ones go first.
  /// - Returns: whether there is one; else whoever asks has to stop.
  func enter(_ number: Int) -> Bool {
    state.change { _ = $0.waiting.insert(number) }
    let isIn = state.wait { state -> Bool? in
      if state.isStopped { return false }
      guard Double(state.taken) < state.allowed.rounded(.down), state.waiting.min() == number else {
        return nil
      }
      state.taken += 1
      return true
    }
    // Another one may be the earliest now.
    state.change { _ = $0.waiting.remove(number) }
    return isIn
  }

  /// Gives a place back.
  ///
  /// - Parameter wasFull: whether the server had no place for the request.
  func leave(wasFull: Bool) {
    state.change { state in
      state.taken -= 1
      if wasFull {
        state.allowed = max(1, min(state.allowed, Double(state.taken)))
      } else {
        state.allowed = min(most, state.allowed + 1 / state.allowed)
      }
    }
  }

  /// How many requests are sent at a time.
  var allowed: Int { state.withLock { Int($0.allowed) } }

  /// Nobody gets a place any more.
  func stop() { state.change { $0.isStopped = true } }
}

import Synchronization
import VL2Base
import VL2Run

/// The questions that are answered or wait, of which there is a limit, and how long answers take.
final class Places: Sendable {
  private struct State {
    var taken = 0
    /// Of those, the ones whose question's turn has come.
    var working = 0
    /// Since when somebody holds a place; nil where nobody does.
    var busySince: ContinuousClock.Instant?
    /// Seconds that answers took lately, each counting half as much as the one after; nil before the first.
    var answerSeconds: Double?
    var isClosed = false

    mutating func change(taken: Int, working: Int = 0) {
      self.taken += taken
      self.working += working
      busySince = self.taken == 0 ? nil : busySince ?? .now
    }
  }

  private let limit: Int
  private let state = Monitor(State())

  /// - Parameter waiting: how many questions may wait for the one that is answered.
  init(waiting: Int) { limit = waiting + 1 }

  /// A place for a question, as long as somebody holds it.
  ///
  /// - Throws: `RequestError` where there is none.
  func take() throws -> Place {
    let (isFree, isClosed, seconds) = state.withLock { state in
      let isFree = state.taken < limit && !state.isClosed
      if isFree { state.change(taken: 1) }
      return (isFree, state.isClosed, state.answerSeconds)
    }
    if isClosed {
      throw RequestError.busy("the server is about to end", retryAfter: 10, status: 503, code: "ending")
    }
    guard isFree else {
      throw RequestError.busy(
        "\(limit - 1) questions wait for an answer already; try again later", retryAfter: Self.wait(seconds))
    }
    return Place { [self] taken, working in state.change { $0.change(taken: taken, working: working) } }
  }

  /// Gives no more places.
  func close() { state.change { $0.isClosed = true } }

  var isClosed: Bool { state.withLock { $0.isClosed } }

  var taken: Int { state.withLock { $0.taken } }

  /// Questions that wait, and those that are answered.
  var counts: (waiting: Int, working: Int) { state.withLock { ($0.taken - $0.working, $0.working) } }

  /// Since when somebody holds a place; nil where nobody does.
  var busySince: ContinuousClock.Instant? { state.withLock { $0.busySince } }

  func learn(_ answer: Answer) {
    let seconds = answer.counts.seconds
    let took = seconds.tiling + seconds.vision + seconds.prefill + seconds.decode
    state.withLock { $0.answerSeconds = $0.answerSeconds.map { ($0 + took) / 2 } ?? took }
  }

  /// Seconds after which trying again makes sense.
  var retryAfter: Int { Self.wait(state.withLock { $0.answerSeconds }) }

  /// After one answer there is a place again.
  private static func wait(_ seconds: Double?) -> Int { Int(min(60, max(1, (seconds ?? 5).rounded(.up)))) }
}

/// One of the places. It is free again when its question leaves it, or when nobody holds it any more.
final class Place: Sendable {
  private let change: @Sendable (_ taken: Int, _ working: Int) -> Void
  private let isAtWork = Atomic<Bool>(false)
  private let isLeft = Atomic<Bool>(false)

  init(_ change: @escaping @Sendable (_ taken: Int, _ working: Int) -> Void) { self.change = change }

  deinit { leave() }

  /// The turn of its question has come. Not after `leave`.
  func work() { if !isAtWork.exchange(true, ordering: .relaxed) { change(0, 1) } }

  func leave() {
    if !isLeft.exchange(true, ordering: .relaxed) { change(-1, isAtWork.load(ordering: .relaxed) ? -1 : 0) }
  }
}

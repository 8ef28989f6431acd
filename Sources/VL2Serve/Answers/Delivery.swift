import VL2Base
import VL2Run

/// Brings one answer from the engine to its client. Everything happens on the threads that call it: nothing here waits.
final class Delivery: Sendable {
  private struct State {
    var format: any AnswerFormat
    var stream: ResponseStream?
    var hasText = false
    var hadItsTurn = false
    var isOver = false
  }

  private let exchange: Exchange
  private let events: AnswerEvents
  private let isStreamed: Bool
  private let state: Monitor<State>

  /// Seconds between two signs of work before the first word. Proxies and clients give up after 30 and more.
  private static let signSeconds = 10.0

  init(_ events: AnswerEvents, to exchange: Exchange, format: any AnswerFormat, isStreamed: Bool) {
    self.exchange = exchange
    self.events = events
    self.isStreamed = isStreamed
    state = Monitor(State(format: format))
  }

  /// Delivers as the events come. A client that goes away ends its question.
  ///
  /// - Parameters:
  ///   - onProgress: called at every event.
  ///   - fault: what to tell instead of an answer; nil for one that is to be told.
  ///   - end: called with the answer after the client has it, also with one that nobody was told.
  func begin(
    onProgress: @escaping @Sendable (AnswerEvent) -> Void,
    fault: @escaping @Sendable (Answer, _ hadItsTurn: Bool) -> RequestError?,
    end: @escaping @Sendable (Answer) -> Void
  ) {
    exchange.onDeparture { [events] in events.cancel() }
    if isStreamed { exchange.remind(every: Self.signSeconds) { [weak self] in self?.giveSign() } }
    events.hand { [self] event in
      onProgress(event)
      switch event {
      case .planned: state.withLock { $0.hadItsTurn = true }
      case .done(let answer):
        finish(answer, fault(answer, state.withLock { $0.hadItsTurn }))
        end(answer)
        return
      default: break
      }
      if isStreamed { tell(event) }
    }
  }

  /// Ends a question whose turn has not come.
  func endIfWaiting() {
    if !state.withLock({ $0.hadItsTurn }) { events.cancel() }
  }

  /// Ends the question.
  func end() { events.cancel() }

  private func tell(_ event: AnswerEvent) {
    state.withLock { state in
      switch event {
      // What is wrong with a question is known before its turn or when it comes; until then there may be a status.
      case .queued: return
      case .planned: begin(&state)
      case .text: state.hasText = true
      default: break
      }
      let piece = state.format.piece(event)
      if !piece.isEmpty { begin(&state).send(piece) }
    }
  }

  @discardableResult private func begin(_ state: inout State) -> ResponseStream {
    if let stream = state.stream { return stream }
    let stream = exchange.stream(state.format.streamHead)
    state.stream = stream
    return stream
  }

  private func finish(_ answer: Answer, _ error: RequestError?) {
    state.withLock { state in
      state.isOver = true
      guard let error else {
        guard isStreamed else { return exchange.respond(state.format.response(answer)) }
        let stream = begin(&state)
        stream.send(state.format.end(answer))
        return stream.end()
      }
      guard let stream = state.stream else { return exchange.respond(state.format.response(error)) }
      stream.send(state.format.failure(error))
      stream.end()
    }
    if isStreamed { exchange.isComplete() }
  }

  private func giveSign() {
    state.withLock { state in
      if !state.isOver, !state.hasText, let sign = state.format.sign { begin(&state).send(sign) }
    }
  }
}

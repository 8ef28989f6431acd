import VL2Base

/// The events of one answer, as they come. The last one is always `done`.
///
/// Cancelling the task that reads them, dropping them, or `cancel()` ends the answer: within one layer of a tile, one
/// layer of a prompt's chunk, or one token. What was computed by then is kept. `done` then comes too, with the ending
/// `cancelled`, once nothing is computed for the question any more.
public struct AnswerEvents: AsyncSequence, Sendable {
  public typealias Element = AnswerEvent

  private let ticket: Ticket

  init(_ job: AnswerJob, engine: Engine) { ticket = Ticket(job, engine) }

  public func makeAsyncIterator() -> Iterator { Iterator(ticket: ticket) }

  /// Ends the answer.
  public func cancel() { ticket.job.cancel() }

  /// Has each event handed on as it comes, in place of reading them in a task: what a server does, which has to go on where
  /// Swift's tasks end the process (see `SerialThread`).
  ///
  /// - Parameter receiver: called on the engine's thread, which waits, or for what has come before on this one. It is let go
  ///   of after `done`, and must not ask the engine anything.
  package func hand(to receiver: @escaping @Sendable (AnswerEvent) -> Void) {
    ticket.job.events.setReceiver(receiver)
  }

  /// Waits for the end.
  ///
  /// - Parameter onEvent: is told what happens before.
  /// - Returns: the answer, also one that was cancelled or ended by its limit of time.
  /// - Throws: what went wrong (`Answer.error`), and what `onEvent` throws, which ends the answer.
  public func answer(onEvent: (AnswerEvent) throws -> Void = { _ in }) async throws -> Answer {
    for await event in self {
      guard case .done(let answer) = event else {
        try onEvent(event)
        continue
      }
      if let error = answer.error { throw error }
      return answer
    }
    throw EngineError.readTwice
  }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let ticket: Ticket

    /// The next event; nil after `done`. Where the task is cancelled, the answer ends and its last events come.
    public mutating func next() async -> AnswerEvent? {
      let job = ticket.job
      return await withTaskCancellationHandler {
        await job.events.next()
      } onCancel: {
        job.cancel()
      }
    }
  }

  /// Whoever holds it wants the answer. It also keeps the engine.
  fileprivate final class Ticket: Sendable {
    let job: AnswerJob
    private let engine: Engine

    init(_ job: AnswerJob, _ engine: Engine) {
      self.job = job
      self.engine = engine
    }

    deinit { job.cancel() }
  }
}

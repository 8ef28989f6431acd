/// A conversation with an engine. Questions follow on what was said before, and only what is new is read.
///
/// The session remembers what was asked and answered; the engine keeps what it computed for it, as far as it has room.
/// When the model's context is full, the oldest questions are forgotten, with their answers and pictures.
public final class Session: Sendable {
  private let engine: Engine
  private let history: SessionHistory

  init(_ engine: Engine, number: Int, system: String?) {
    self.engine = engine
    history = SessionHistory(number: number, system: system)
  }

  deinit {
    history.end()
    engine.worker.forget(history.number)
  }

  /// Asks a question, whose turns follow on those before. A question that is cancelled before its answer begins is not
  /// remembered; what is there of an answer that is cancelled later is.
  ///
  /// - Returns: what happens on the way to the answer; nothing is awaited here.
  public func answer(_ question: Question) -> AnswerEvents { engine.ask(question, in: history) }

  /// What was said, beginning with the system's text.
  public var turns: [Turn] { history.turns }

  /// Bytes that the engine keeps for this session, besides pictures, while it is not answering it.
  public var keptBytes: Int { engine.kept.byteCount(session: history.number) }

  /// Forgets the last question that was answered, with its answer. What was computed for those before stays. An answer
  /// that is being written meanwhile is not remembered.
  public func forgetLast() { history.forgetLast() }

  /// Forgets everything but the system's text, and has the engine forget it too.
  public func forget() {
    history.forget()
    engine.worker.forget(history.number)
  }
}

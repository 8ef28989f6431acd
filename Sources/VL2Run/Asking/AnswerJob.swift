import Synchronization

/// A question in an engine's queue, or at work.
final class AnswerJob: @unchecked Sendable {
  let question: Question
  /// The session that the question belongs to.
  let session: SessionHistory?
  let events = EventChannel()
  let asked = ContinuousClock.now
  private let isCancelledNow = Atomic<Bool>(false)

  /// For the worker alone: what was done so far, the age of the session's history then, and how long the question
  /// waited.
  var writer: AnswerWriter?
  var age = 0
  var secondsQueued = 0.0
  /// Since when it has been waiting.
  var waitingSince: ContinuousClock.Instant

  init(_ question: Question, session: SessionHistory?) {
    self.question = question
    self.session = session
    waitingSince = asked
  }

  func cancel() { isCancelledNow.store(true, ordering: .relaxed) }

  var isCancelled: Bool { isCancelledNow.load(ordering: .relaxed) }

  /// What is left of the question's time; nil where it has as much as it takes.
  var secondsLeft: Double? { question.timeLimit.map { $0 - (ContinuousClock.now - asked) / .seconds(1) } }

  var isLate: Bool { secondsLeft.map { $0 < 0 } ?? false }

  var owner: ReadingCache.Owner {
    .init(session: session?.number, isCamera: question.caller == .camera)
  }
}

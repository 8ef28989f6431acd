import VL2Base

/// The thread on which everything of an engine is computed, read and waited for. It alone knows the model.
final class EngineWorker: @unchecked Sendable {
  /// Work on the model other than answering, and what is kept.
  typealias Call = (Model, ReadingCache) -> Void

  /// Why work on a question is interrupted.
  private enum Interrupt: Error {
    case cancelled, late
    /// A camera's question waits while a person's is answered.
    case givesWay
  }

  private struct State {
    var people: [AnswerJob] = []
    var cameras: [AnswerJob] = []
    var running: AnswerJob?
    var calls: [Call] = []
    var isStopping = false
  }

  private enum Next {
    case job(AnswerJob)
    case call(Call)
    case stop
  }

  private let mostWaiting: Int
  private let state = Monitor(State())
  private let noted = Monitor(EngineFigures())
  /// For the worker's thread alone: answers' tokens, and when the figures were last noted.
  private var written = WrittenAnswers()
  private var lastNote = ContinuousClock.now

  init(mostWaiting: Int) { self.mostWaiting = mostWaiting }

  /// Starts the thread, which opens the model and answers until `stop`.
  ///
  /// - Throws: `ThreadError`, and what `open` throws.
  func start<Facts: Sendable>(
    open: @escaping @Sendable () throws -> (Model, ReadingCache), facts: @escaping @Sendable (Model) -> Facts
  ) async throws -> Facts {
    try await withCheckedThrowingContinuation { continuation in
      do {
        try SystemThread.start("vl2-engine") {
          do {
            let (model, kept) = try open()
            continuation.resume(returning: facts(model))
            self.serve(model, kept)
          } catch {
            continuation.resume(throwing: error)
          }
        }
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }

  /// The figures that were noted last.
  var figures: EngineFigures { noted.withLock { $0 } }

  /// Ends the thread once the question at work has let go.
  func stop() { state.change { $0.isStopping = true } }

  func add(_ job: AnswerJob) {
    let isAdded = state.change { state in
      guard state.people.count + state.cameras.count < mostWaiting else { return false }
      switch job.question.caller {
      case .person: state.people.append(job)
      case .camera: state.cameras.append(job)
      }
      tellPlaces(state)
      return true
    }
    if !isAdded { job.events.send(.done(answer(job, .failed, EngineError.busy(waiting: mostWaiting)))) }
  }

  /// Calls `call` on the thread, between two questions.
  func perform<Result: Sendable>(
    _ call: @escaping @Sendable (Model, ReadingCache) throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      perform(call) { continuation.resume(with: $0) }
    }
  }

  /// The same, and calls `then` on the thread.
  func perform<Result>(
    _ call: @escaping @Sendable (Model, ReadingCache) throws -> Result,
    then: @escaping @Sendable (Swift.Result<Result, any Error>) -> Void
  ) {
    state.change { state in
      state.calls.append { model, kept in then(Swift.Result { try call(model, kept) }) }
    }
  }

  /// Forgets what is kept for a session.
  func forget(_ session: Int) { state.change { $0.calls.append { $1.forget(session: session) } } }

  // MARK: the thread

  private func serve(_ model: Model, _ kept: ReadingCache) {
    model.onShortage { [unowned kept] in kept.dropOne(sparingTiles: $0 == .slots) }
    note(model, kept)
    while true {
      let next = state.wait { state -> Next? in
        state.running = nil
        if !state.calls.isEmpty { return .call(state.calls.removeFirst()) }
        if state.isStopping { return .stop }
        let first = state.people.first ?? state.cameras.first
        guard let job = first else { return nil }
        if state.people.isEmpty { state.cameras.removeFirst() } else { state.people.removeFirst() }
        state.running = job
        tellPlaces(state)
        return .job(job)
      }
      switch next {
      case .job(let job): run(job, model, kept)
      case .call(let call):
        call(model, kept)
        note(model, kept)
      case .stop:
        let left = state.withLock { $0.people + $0.cameras }
        for job in left { end(job, answer(job, .cancelled), model, kept) }
        return
      }
    }
  }

  private func run(_ job: AnswerJob, _ model: Model, _ kept: ReadingCache) {
    job.secondsQueued += (ContinuousClock.now - job.waitingSince) / .seconds(1)
    do {
      try checkpoint(job, model, kept)
      let writer = try job.writer ?? begin(job, model, kept)
      job.writer = writer
      try writer.work { try checkpoint(job, model, kept) }
      end(job, answer(job), model, kept)
    } catch Interrupt.givesWay {
      job.writer?.release()
      job.waitingSince = .now
      state.change { state in
        state.cameras.insert(job, at: 0)
        state.running = nil
        tellPlaces(state)
      }
    } catch Interrupt.cancelled {
      end(job, answer(job, .cancelled), model, kept)
    } catch Interrupt.late {
      end(job, answer(job, .timeLimit), model, kept)
    } catch {
      let error = error as? any ReportableError ?? EngineError.unexpected("\(error)")
      end(job, answer(job, .failed, error), model, kept)
    }
  }

  private func begin(_ job: AnswerJob, _ model: Model, _ kept: ReadingCache) throws -> AnswerWriter {
    let events = job.events
    job.age = job.session?.age ?? 0
    let writer = try AnswerWriter(
      job.question, turns: (job.session?.turns ?? []) + job.question.turns, model: model, kept: kept,
      owner: job.owner, secondsLeft: job.secondsLeft, forgetsOldest: job.session != nil,
      written: { job.question.readsAnswersAsWritten ? self.written.tokens(of: $0) : nil },
      emit: { events.send($0) })
    events.send(writer.planned)
    return writer
  }

  /// Called between short pieces of work on a question.
  private func checkpoint(_ job: AnswerJob, _ model: Model, _ kept: ReadingCache) throws {
    if ContinuousClock.now - lastNote > .milliseconds(250) { note(model, kept) }
    let (gone, interrupt) = state.withLock { state -> ([AnswerJob], Interrupt?) in
      // Those who wait may leave at any time.
      func isGone(_ job: AnswerJob) -> Bool { job.isCancelled || job.isLate }
      let gone = (state.people + state.cameras).filter(isGone)
      if !gone.isEmpty {
        state.people.removeAll(where: isGone)
        state.cameras.removeAll(where: isGone)
        tellPlaces(state)
      }
      if job.isCancelled || state.isStopping { return (gone, .cancelled) }
      if job.isLate { return (gone, .late) }
      return (gone, job.question.caller == .camera && !state.people.isEmpty ? .givesWay : nil)
    }
    for job in gone { end(job, answer(job, job.isCancelled ? .cancelled : .timeLimit), model, kept) }
    if let interrupt { throw interrupt }
  }

  /// Leaves the figures where other threads find them.
  private func note(_ model: Model, _ kept: ReadingCache) {
    let figures = EngineFigures(model, kept)
    noted.withLock { $0 = figures }
    lastNote = .now
  }

  /// An answer as far as it goes.
  private func answer(_ job: AnswerJob, _ ending: Ending? = nil, _ error: (any ReportableError)? = nil)
    -> Answer
  {
    var answer =
      job.writer?.answer(ending, error: error)
      ?? Answer(
        text: "", ending: ending ?? .failed, error: error, grounding: Grounding(""), choices: .none,
        counts: .init(), memory: .init(), tokens: [])
    answer.counts.seconds.queued = job.secondsQueued
    return answer
  }

  /// Sends a question's last event, after everything that belongs to the question is put where it stays.
  private func end(_ job: AnswerJob, _ answer: Answer, _ model: Model, _ kept: ReadingCache) {
    if let writer = job.writer {
      writer.release()
      let said = writer.said
      if let tokens = said.tokens { written.add(said.text, tokens: tokens) }
      if let session = job.session {
        session.record(job.question.turns, said, answer, age: job.age)
        if session.isPast(age: job.age) { kept.forget(session: session.number) }
      }
    }
    job.writer = nil
    // What questions of many sizes leave between them would add up over the days.
    Heap.trim()
    note(model, kept)
    job.events.send(.done(answer))
  }

  /// Tells those who wait how many come first.
  private func tellPlaces(_ state: State) {
    var place = state.running == nil ? 0 : 1
    for job in state.people + state.cameras {
      if place > 0 { job.events.send(.queued(place: place)) }
      place += 1
    }
  }
}

import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Base
import VL2Run

/// One model, many callers.
@Suite struct EngineTests {
  /// - Parameter slots: for experts, which are then read by a thread of their own; nil where the file is mapped.
  private func engine(waiting: Int = 16, slots: Int? = nil, bytesPerSecond: Int? = nil) async throws -> Engine
  {
    var options = RuntimeOptions(threads: 2)
    options.slots = slots
    options.bytesPerSecond = bytesPerSecond
    return try await Engine(
      path: try PackedModels.path("nano-mha", .q4), options: options, keeping: 1 << 26, mostWaiting: waiting)
  }

  /// With a slow card, so that nothing is over before it is caught.
  private func slowEngine(waiting: Int = 16) async throws -> Engine {
    try await engine(waiting: waiting, slots: 3, bytesPerSecond: 1 << 20)
  }

  /// A question that takes long enough to be caught at work: it never ends by itself.
  private func long(_ picture: Picture? = nil) -> Question {
    var question = Question(
      String(repeating: "a ", count: 300), pictures: picture.map { [$0] } ?? [], maxTokens: 100_000)
    question.stopsLoops = false
    return question
  }

  /// Each of eight tasks gets the answer that it gets alone, where the file is mapped and where experts are read.
  @Test(arguments: [nil, 5]) func eightAtOnce(slots: Int?) async throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let pictures = try ["small.png", "wide.jpg", "tall.png", "grey.jpg"].map(golden)
    let questions = (0..<8).map { number in
      var question = Question(
        "Number \(number)?", pictures: number % 2 == 0 ? [pictures[number / 2]] : [], maxTokens: 12 + number)
      question.sampling = Sampling(temperature: Float(number % 3) * 0.5, seed: UInt64(number))
      question.caller = number % 4 == 3 ? .camera : .person
      return question
    }
    let expected = try questions.map { try model.answer($0) }
    let engine = try await engine(slots: slots)
    for _ in 0..<3 {
      let answers = try await withThrowingTaskGroup(of: (Int, Answer, String).self) { group in
        for (number, question) in questions.enumerated() {
          group.addTask {
            var text = ""
            let answer = try await engine.answer(question).answer { event in
              if case .text(let piece, _) = event { text += piece }
            }
            return (number, answer, text)
          }
        }
        var answers: [Int: (Answer, String)] = [:]
        for try await (number, answer, text) in group { answers[number] = (answer, text) }
        return answers
      }
      #expect(answers.count == 8)
      for (number, (answer, text)) in answers {
        #expect(answer.text == expected[number].text && text == answer.text, "question \(number)")
        #expect(answer.tokens == expected[number].tokens && answer.ending == expected[number].ending)
      }
    }
  }

  /// A person's question goes before all cameras', also the one at work, which then goes on as if nothing had happened.
  @Test func peopleGoFirst() async throws {
    let engine = try await slowEngine()
    var frame = Question("What is there?", pictures: [try golden("wide.jpg")], maxTokens: 50)
    frame.caller = .camera
    frame.stopsLoops = false
    let expected = try PackedModels.open("nano-mha", .q4).answer(frame)
    var hasWaited = false
    // On a machine with much else to do, a camera's answer may be over before the person asks.
    for _ in 0..<5 where !hasWaited {
      let cameras = (0..<3).map { _ in engine.answer(frame) }
      // The first one is at work.
      var first = cameras[0].makeAsyncIterator()
      var text = ""
      while text.isEmpty, let event = await first.next() {
        if case .text(let piece, _) = event { text += piece }
      }
      let person = try await engine.answer(Question("Is it open?", maxTokens: 4)).answer()
      #expect(person.counts.seconds.queued < 2)
      while let event = await first.next() {
        if case .text(let piece, _) = event { text += piece }
        guard case .done(let camera) = event else { continue }
        #expect(camera.tokens == expected.tokens && text == expected.text && camera.text == text)
        let seconds = person.counts.seconds
        hasWaited = camera.counts.seconds.queued > seconds.prefill + seconds.decode
      }
      for other in cameras.dropFirst() { #expect(try await other.answer().tokens == expected.tokens) }
    }
    #expect(hasWaited)
  }

  /// Who comes first is served first, and is told how many come before.
  @Test func places() async throws {
    let engine = try await slowEngine()
    let running = try await HeldAnswer(engine, long())
    let waiting = (0..<3).map { engine.answer(Question("Number \($0)?", maxTokens: 2)) }
    for (number, answer) in waiting.enumerated() {
      var iterator = answer.makeAsyncIterator()
      guard case .queued(let place)? = await iterator.next() else {
        Issue.record("no place")
        continue
      }
      #expect(place == number + 1)
    }
    running.end()
    for answer in waiting { #expect(try await answer.answer().ending == .maxTokens) }
  }

  @Test func bound() async throws {
    let engine = try await slowEngine(waiting: 2)
    let running = try await HeldAnswer(engine, long())
    let waiting = (0..<2).map { _ in engine.answer(Question("And?", maxTokens: 2)) }
    await #expect(throws: EngineError.busy(waiting: 2)) {
      try await engine.answer(Question("One too many?", maxTokens: 2)).answer()
    }
    #expect(EngineError.busy(waiting: 2).kind == .busy)
    running.end()
    for answer in waiting { _ = try await answer.answer() }
    _ = try await engine.answer(Question("Now?", maxTokens: 2)).answer()
  }

  /// The last event is `done`, and comes also when the task is cancelled.
  @Test func endings() async throws {
    let engine = try await slowEngine(waiting: 2)
    let task = Task {
      var last: AnswerEvent?
      var count = 0
      for await event in engine.answer(long()) {
        if case .done = event { count += 1 }
        last = event
        // While it is read, long before its end, however busy the machine is.
        withUnsafeCurrentTask { $0?.cancel() }
      }
      return (last, count)
    }
    guard case (.done(let answer)?, 1) = await task.value else {
      Issue.record("not done")
      return
    }
    #expect(answer.ending == .cancelled && answer.error == nil)
    // A limit of time, at work and while waiting.
    var late = long()
    late.timeLimit = 0.05
    let limited = try await engine.answer(late).answer()
    #expect(limited.ending == .timeLimit)
    let running = engine.answer(long())
    let waited = try await engine.answer(late).answer()
    #expect(waited.ending == .timeLimit && waited.counts.writtenTokens == 0)
    running.cancel()
    // Errors are thrown, and leave the engine as it was.
    await #expect(throws: PromptError.self) {
      try await engine.answer(Question(String(repeating: "a 1 ", count: 2000))).answer()
    }
    let events = engine.answer(Question("Well?", maxTokens: 2))
    #expect(try await events.answer().ending == .maxTokens)
    await #expect(throws: EngineError.readTwice) { try await events.answer() }
  }

  /// Dropping the events ends the answer.
  @Test func dropping() async throws {
    let engine = try await engine()
    for _ in 0..<5 {
      for await event in engine.answer(long()) {
        if case .text = event { break }
      }
      _ = engine.answer(long())
    }
    let answer = try await engine.answer(Question("Well?", maxTokens: 3)).answer()
    #expect(answer.tokens.count == 3 && answer.counts.seconds.queued < 5)
  }

  /// Cancelled at 50 random moments in each stage: the next question of the session costs only what is new and gets the
  /// answer that it would have got.
  @Test(arguments: ["queued", "looking", "reading", "writing"])
  func cancelling(stage: String) async throws {
    let engine = try await engine()
    let picture = try golden("small.png")
    let session = engine.session(system: "Be short.")
    let first = try await session.answer(Question("What is it?", pictures: [picture], maxTokens: 6)).answer()
    let undisturbed = try await engine.session(system: "Be short.").twoAnswers(
      Question("What is it?", pictures: [picture], maxTokens: 6), Question("And why?", maxTokens: 6))
    #expect(undisturbed.0.tokens == first.tokens)
    var random = SplitMix64(seed: 11)
    var cancelled = 0
    var round = 0
    while cancelled < 50 {
      round += 1
      // Some are over before they are cancelled.
      try #require(round < 100)
      let blocking = stage == "queued" ? engine.answer(long()) : nil
      var question = long(stage == "looking" ? noise(round) : nil)
      question.turns = [
        .user("Round \(round): " + question.turns[0].text, pictures: question.turns[0].pictures)
      ]
      let events = session.answer(question)
      let delay = Duration.microseconds(Int.random(in: 0...2000, using: &random))
      for await event in events {
        let isThere =
          switch event {
          case .queued: stage == "queued"
          case .looking: stage == "looking"
          case .reading: stage == "reading" || stage == "looking"
          case .text: true
          case .planned, .boxes, .done: false
          }
        if isThere {
          try await Task.sleep(for: delay)
          events.cancel()
          blocking?.cancel()
        }
        if case .done(let answer) = event, answer.ending == .cancelled { cancelled += 1 }
      }
      // What was written of an answer is remembered; here the talk goes on from the first answer.
      if session.turns.count == 5 {
        #expect(session.turns.last?.role == .assistant)
        session.forget()
        _ = try await session.answer(Question("What is it?", pictures: [picture], maxTokens: 6)).answer()
      }
      #expect(session.turns.count == 3)
    }
    let next = try await session.answer(Question("And why?", maxTokens: 6)).answer()
    #expect(next.tokens == undisturbed.1.tokens)
    #expect(
      next.counts.tiles == 0 && next.counts.readTokens == undisturbed.1.counts.readTokens, "\(next.counts)")
  }

  private func noise(_ seed: Int) -> Picture {
    var random = SplitMix64(seed: UInt64(seed))
    return Picture(
      width: 200, height: 150,
      pixels: (0..<200 * 150 * 3).map { _ in UInt8(truncatingIfNeeded: random.next()) })
  }

  /// A talk that a client sends back as text is read from its first new token on, also after an answer with boxes, whose
  /// marks are special tokens.
  @Test func boxesComeBack() async throws {
    let engine = try await Engine(
      path: try PackedModels.pocket(), options: RuntimeOptions(threads: 2), keeping: 1 << 28)
    let picture = try Picture(contentsOf: Fixtures.pocket + "/eval/ci/pictures/0001.jpg")
    let turn = Turn.user(Grounding.question(for: "the number"), pictures: [picture])
    var boxes: [GroundedSpan] = []
    let first = try await engine.answer(Question([turn], maxTokens: 64)).answer { event in
      if case .boxes(let spans) = event { boxes += spans }
    }
    #expect(first.ending == .complete && first.text.contains("<|det|>") && !boxes.isEmpty, "\(first.text)")
    #expect(boxes == first.grounding.spans && boxes == Grounding(first.text).spans)
    let talk = [turn, .assistant(first.text), .user("What number do you see?")]
    let second = try await engine.answer(Question(talk, maxTokens: 8)).answer()
    #expect(second.counts.tiles == 0 && second.counts.readTokens < 30, "\(second.counts)")
    // Another engine did not write it; there the marks are text, of many tokens.
    let other = try await Engine(
      path: try PackedModels.pocket(), options: RuntimeOptions(threads: 2), keeping: 0)
    let elsewhere = try await other.answer(Question(talk, maxTokens: 8)).answer()
    #expect(elsewhere.counts.promptTokens > second.counts.promptTokens)
  }

  /// Measuring and asking go on at once, one after the other.
  @Test func measuringBesideAsking() async throws {
    let engine = try await engine()
    async let speed = engine.measureSpeed()
    let answers = (0..<4).map { engine.answer(Question("Number \($0)?", maxTokens: 4)) }
    for answer in answers { #expect(try await answer.answer().tokens.count == 4) }
    #expect(try await speed.tileSeconds > 0)
  }

  @Test func opening() async throws {
    await #expect(throws: (any Error).self) { try await Engine(path: "/none.vl2q") }
    let engine = try await engine()
    #expect(engine.threads == 2 && engine.contextLength == 1024 && engine.demonstrationNotice == nil)
  }
}

/// An answer that is at work until it is told to end, however busy the machine is.
private final class HeldAnswer {
  private let events: AnswerEvents
  private let isHeld = Monitor(true)

  /// Waits until it is at work.
  init(_ engine: Engine, _ question: Question) async throws {
    events = engine.answer(question)
    let (isBegun, isHeld) = (Monitor(false), isHeld)
    events.hand { event in
      guard case .planned = event else { return }
      isBegun.change { $0 = true }
      isHeld.wait { $0 ? nil : () }
    }
    try await offTasks { isBegun.wait { $0 ? () : nil } }
  }

  func end() {
    events.cancel()
    isHeld.change { $0 = false }
  }

  deinit { end() }
}

extension Session {
  fileprivate func twoAnswers(_ first: Question, _ second: Question) async throws -> (Answer, Answer) {
    (try await answer(first).answer(), try await answer(second).answer())
  }
}

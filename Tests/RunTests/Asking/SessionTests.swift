import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// Conversations with an engine.
@Suite struct SessionTests {
  private func engine(_ checkpoint: String = "nano-mha", keeping: Int? = 1 << 26) async throws -> Engine {
    try await Engine(
      path: try PackedModels.path(checkpoint, .q4), options: RuntimeOptions(threads: 2), keeping: keeping)
  }

  /// What is asked is what one question with all turns would ask, and only what is new is read.
  @Test(arguments: ["nano-mha", "nano-mla"], [1 << 26, 0])
  func readsWhatIsNew(checkpoint: String, keeping: Int) async throws {
    let engine = try await engine(checkpoint, keeping: keeping)
    let model = try PackedModels.open(checkpoint, .q4)
    let session = engine.session(system: "Be short.")
    for (text, new) in [
      ("What is it?", [try golden("small.png")]), ("Why?", []), ("And this?", [try golden("tall.png")]),
    ] {
      let question = Question(text, pictures: new, maxTokens: 6)
      let turns = session.turns + question.turns
      let answer = try await session.answer(question).answer()
      let alone = try model.answer(Question(turns, maxTokens: 6))
      #expect(answer.tokens == alone.tokens && answer.counts.promptTokens == alone.counts.promptTokens)
      if text == "Why?", keeping > 0 {
        #expect(answer.counts.tiles == 0 && answer.counts.readTokens < 20)
      }
    }
    #expect(session.turns.map(\.role) == [.system, .user, .assistant, .user, .assistant, .user, .assistant])
    #expect((session.keptBytes > 0) == (keeping > 0))
  }

  /// An answer that goes on from a beginning is remembered with it.
  @Test func beginnings() async throws {
    let engine = try await engine()
    let model = try PackedModels.open("nano-mha", .q4)
    let session = engine.session()
    let question = Question([.user("What is it?"), .assistant(" It is ")], maxTokens: 6)
    let answer = try await session.answer(question).answer()
    #expect(session.turns.map(\.role) == [.user, .assistant])
    #expect(session.turns[1].text == "It is" + answer.text)
    let next = Question("Why?", maxTokens: 6)
    let alone = try model.answer(Question(session.turns + next.turns, maxTokens: 6))
    let second = try await session.answer(next).answer()
    #expect(second.tokens == alone.tokens && second.counts.promptTokens == alone.counts.promptTokens)
    // The last token that was written, the end token, and the new turn.
    let new = 2 + model.tokenizer.encode("<|User|>: Why?\n\n<|Assistant|>:").count
    #expect(second.counts.readTokens == new)
  }

  /// The oldest questions go first, their pictures with them, and what is left is answered as if it were all.
  @Test func theOldestGoFirst() async throws {
    let engine = try await engine()
    let model = try PackedModels.open("nano-mha", .q4)
    let session = engine.session()
    let words = String(repeating: "a ", count: 250)
    _ = try await session.answer(Question("first", pictures: [try golden("small.png")], maxTokens: 4))
      .answer()
    var forgotten = 0
    for _ in 0..<8 {
      let before = session.turns
      let answer = try await session.answer(Question(words, maxTokens: 4)).answer()
      forgotten += answer.forgotten
      let left = Array(before.dropFirst(2 * answer.forgotten)) + [.user(words)]
      #expect(try model.answer(Question(left, maxTokens: 4)).tokens == answer.tokens)
      #expect(session.turns.count == left.count + 1)
    }
    #expect(forgotten > 3)
    #expect(!session.turns.contains { $0.text.contains("first") })
    await #expect(throws: PromptError.self) {
      try await session.answer(Question(String(repeating: words, count: 8), maxTokens: 4)).answer()
    }
  }

  /// Questions that are asked at once follow on one another.
  @Test func questionsAtOnce() async throws {
    let session = try await engine().session()
    let answers = (0..<4).map { session.answer(Question("Number \($0)?", maxTokens: 3)) }
    for answer in answers { _ = try await answer.answer() }
    #expect(session.turns.filter { $0.role == .user }.map(\.text) == (0..<4).map { "Number \($0)?" })
  }

  /// What is forgotten is gone, for the engine too; what comes later of an answer before does not come back.
  @Test func forgetting() async throws {
    let engine = try await engine()
    let session = engine.session(system: "S")
    let expected = try await session.answer(Question("What?", maxTokens: 4)).answer()
    #expect(session.keptBytes > 0)
    session.forget()
    _ = try await engine.keptBytes()
    #expect(session.keptBytes == 0 && session.turns.map(\.role) == [.system])
    let again = try await session.answer(Question("What?", maxTokens: 4)).answer()
    #expect(again.tokens == expected.tokens && again.counts.cachedTokens == 0)
    var events = session.answer(Question("And?", maxTokens: 30)).makeAsyncIterator()
    _ = await events.next()
    session.forget()
    while await events.next() != nil {}
    #expect(session.turns.map(\.role) == [.system])
    // A session that nobody has any more leaves nothing.
    do { _ = try await engine.session().answer(Question("Gone?", maxTokens: 2)).answer() }
    session.forget()
    #expect(try await engine.keptBytes() == 0)
  }

  /// An answer that a stop text cut short is remembered as it was shown.
  @Test func stopTexts() async throws {
    let session = try await engine().session()
    var question = Question("Count to ten.", maxTokens: 30)
    let whole = try await session.answer(question).answer().text
    session.forget()
    question.stops = [String(whole.dropFirst(5).prefix(2))]
    let cut = try await session.answer(question).answer()
    #expect(cut.ending == .stop && cut.text.count < whole.count)
    #expect(session.turns.last?.text == cut.text)
    let next = session.turns + [.user("Go on.")]
    let answer = try await session.answer(Question("Go on.", maxTokens: 6)).answer()
    #expect(
      try PackedModels.open("nano-mha", .q4).answer(Question(next, maxTokens: 6)).tokens == answer.tokens)
  }
}

import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

@Suite struct ConversationTests {
  private func picture(_ name: String) throws -> Picture {
    try Picture(contentsOf: Fixtures.path("golden/images/" + name))
  }

  /// What is asked is what one request with all turns would ask, and only what is new is read.
  @Test func readsWhatIsNew() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var talk = Conversation(Session(model, caches: true), system: "Be short.", maxTokens: 6)
    var turns = [Turn(role: .system, text: "Be short.")]
    var pictures: [Picture] = []
    for (question, new) in [
      ("What is it?", [try picture("small.png")]), ("Why?", []), ("And this?", [try picture("tall.png")]),
    ] {
      let next = try talk.next(question, pictures: new)
      #expect(next.forgotten == 0)
      let answer = try talk.ask(next)
      pictures += new
      turns.append(Turn(role: .user, text: String(repeating: "<image>\n", count: new.count) + question))
      let alone = try Session(model).answer(Session.Request(turns: turns, pictures: pictures, maxTokens: 6))
      #expect(answer.tokens == alone.tokens && answer.promptTokens == alone.promptTokens)
      if question == "Why?" {
        #expect(answer.tiles == 0 && answer.promptTokens - answer.cachedTokens < 20)
      }
      turns.append(Turn(role: .assistant, text: answer.text, tokens: answer.tokens))
    }
  }

  /// The oldest questions go first, their pictures with them, and what is left is answered as if it were all.
  @Test func theOldestGoFirst() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var talk = Conversation(Session(model, caches: true), maxTokens: 4)
    let words = String(repeating: "a ", count: 250)
    _ = try talk.ask(try talk.next("first", pictures: [try picture("small.png")]))
    var forgotten = 0
    for _ in 0..<8 {
      let next = try talk.next(words)
      forgotten += next.forgotten
      let alone = try Session(model).answer(next.request)
      #expect(try talk.ask(next).tokens == alone.tokens)
    }
    #expect(forgotten > 3)
    #expect(!talk.exchanges.contains { $0.question == "first" })
    #expect(throws: PromptError.self) { try talk.next(String(repeating: words, count: 8)) }
    talk.reset()
    #expect(talk.exchanges.isEmpty)
  }

  /// A question that is stopped before its answer begins leaves the conversation as it was.
  @Test func stoppedQuestion() throws {
    struct Stop: Error {}
    let model = try PackedModels.open("nano-mha", .q4)
    var talk = Conversation(Session(model, caches: true), maxTokens: 4)
    _ = try talk.ask(try talk.next("first"))
    let next = try talk.next("second", pictures: [try picture("wide.jpg")])
    #expect(throws: Stop.self) {
      _ = try talk.ask(
        next,
        onProgress: { progress in
          if case .reading = progress { throw Stop() }
        })
    }
    #expect(talk.exchanges.map(\.question) == ["first"])
    let again = try talk.next("third")
    #expect(try talk.ask(again).tokens == Session(model).answer(again.request).tokens)
  }
}

import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// Contexts of other lengths than the model was made for, which is 1,024 tokens for the nano models.
@Suite struct ContextLengthTests {
  private func model(_ length: Int?) throws -> Model {
    var options = RuntimeOptions(threads: 2)
    options.contextLength = length
    return try Model(path: try PackedModels.path("nano-mha", .q4), options: options)
  }

  @Test(arguments: [63, 0, -1, 2049, .max]) func refused(length: Int) throws {
    let error = try #require(thrown { _ = try model(length) } as? ModelError)
    #expect(error == .contextLength(length, most: 2048) && error.kind == .usage)
    #expect(
      error.description.contains("64 to 2048") && error.description.contains(length > 2048 ? "2048" : "64"))
  }

  @Test func known() async throws {
    #expect(try model(nil).contextLength == 1024 && model(64).contextLength == 64)
    var options = RuntimeOptions(threads: 1)
    options.contextLength = 200
    #expect(
      try await Engine(path: try PackedModels.path("nano-mha", .q4), options: options).contextLength == 200)
  }

  /// Answers are the same as long as they fit, and end where the context does.
  @Test func answers() throws {
    let whole = try model(nil)
    let short = try model(128)
    var question = Question("Count to ten.", maxTokens: 40)
    question.stopsLoops = false
    #expect(try short.answer(question).tokens == whole.answer(question).tokens)
    question.maxTokens = 1000
    let cut = try short.answer(question)
    #expect(cut.ending == .context && cut.counts.promptTokens + cut.tokens.count == 129)
    #expect(try whole.answer(question).tokens.starts(with: cut.tokens))
    let long = Question(String(repeating: "a 1 ", count: 60))
    #expect {
      try short.answer(long)
    } throws: { error in
      guard case .tooLong(tokens: _, limit: 128)? = error as? PromptError else { return false }
      return true
    }
    _ = try whole.answer(long)
  }

  /// A longer one holds more, says so, and gives the same answers as long as they fit.
  @Test func longer() throws {
    let (whole, long) = (try model(nil), try model(2048))
    #expect(whole.contextNotice == nil && long.contextLength == 2048)
    #expect(long.contextNotice?.contains("made for 1024") == true)
    var question = Question("Count to ten.", maxTokens: 40)
    #expect(try long.answer(question).tokens == whole.answer(question).tokens)
    question = Question(String(repeating: "a 1 ", count: 350), maxTokens: 8)
    question.stopsLoops = false
    let answer = try long.answer(question)
    #expect(answer.counts.promptTokens > 1024 && answer.tokens.count == 8)
    #expect(throws: PromptError.self) { try whole.answer(question) }
  }

  /// What is reserved for a conversation is as much less.
  @Test func memory() throws {
    func bytes(_ length: Int?) throws -> (positions: Int, bytes: Int) {
      let model = try model(length)
      let reading = try Reading(
        Question("Hello").turns, room: .init(maxTokens: 5), model: model, kept: ReadingCache(limit: 1 << 24))
      _ = try reading.logits()
      return (reading.capacity, try model.decoder.makeCache(positions: reading.capacity).byteCount)
    }
    let (whole, short) = (try bytes(nil), try bytes(128))
    #expect(whole.positions == 1024 && short.positions == 128 && short.bytes * 7 < whole.bytes)
  }
}

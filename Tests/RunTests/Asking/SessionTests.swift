import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

@Suite struct SessionTests {
  private func question(_ text: String, _ pictures: [String] = [], maxTokens: Int = 12) throws
    -> Session.Request
  {
    Session.Request(
      turns: [Turn(role: .user, text: text)],
      pictures: try pictures.map { try Picture(contentsOf: Fixtures.path("golden/images/" + $0)) },
      maxTokens: maxTokens)
  }

  /// The greedy tokens of the reference, through the public interface.
  @Test func goldenAnswer() throws {
    let model = try PackedModels.open("nano-mha", .bf16, activations: .float32)
    let golden = try SafetensorsFile(path: Fixtures.path("golden/nano-mha/one-image.safetensors"))
    let answer = try Session(model).answer(
      try question("<image>\nWhat is in the image?", ["wide.jpg"], maxTokens: 24))
    #expect(try answer.tokens == golden.integers(of: "greedy"))
    #expect(try answer.promptTokens == golden.shape(of: "input_ids")[0])
    #expect(answer.text == model.tokenizer.decode(answer.tokens))
  }

  @Test func markersArePutFirst() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let with = try Session(model).answer(try question("<image>\nWhat is it?", ["small.png"]))
    let without = try Session(model).answer(try question("What is it?", ["small.png"]))
    #expect(with.tokens == without.tokens)
    #expect(with.promptTokens == without.promptTokens)
  }

  @Test func streamedTextIsTheAnswer() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var pieces: [String] = []
    let answer = try Session(model).answer(try question("Count to ten.", maxTokens: 40)) {
      pieces.append($0)
      return true
    }
    #expect(pieces.joined() == answer.text)
    // Whoever wants to stop is asked after tokens without text too.
    #expect(pieces.count >= answer.tokens.count)
    #expect(answer.tokens.count == 40 && answer.ending == .maxTokens)
  }

  @Test func stopsWhenAsked() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var calls = 0
    let answer = try Session(model).answer(try question("Count to ten.", maxTokens: 40)) { _ in
      calls += 1
      return false
    }
    #expect(calls == 1)
    #expect(answer.ending == .stopped)
  }

  /// Writing ends where the context does: 1,024 positions in the nano models.
  @Test func contextEnds() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let limit = model.config.language.maxPositions
    let words = String(repeating: "a ", count: 480)
    var request = try question(words, maxTokens: 100_000)
    request.stopsLoops = false
    let answer = try Session(model).answer(request)
    #expect(answer.ending == .context)
    // Nothing is computed from the last token, so it needs no place.
    #expect(answer.promptTokens + answer.tokens.count == limit + 1)
  }

  @Test func promptLongerThanContext() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let words = String(repeating: "a 1 ", count: 2000)
    #expect(throws: PromptError.self) { try Session(model).answer(try question(words)) }
  }

  @Test func markersAndPicturesDisagree() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    #expect(throws: PromptError.pictureCount(places: 2, pictures: 1)) {
      try Session(model).answer(try question("<image> <image>", ["small.png"]))
    }
    #expect(throws: PromptError.pictureCount(places: 1, pictures: 0)) {
      try Session(model).answer(try question("<image> here"))
    }
  }

  /// Nothing of an earlier request remains.
  @Test func requestsAreIndependent() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let session = Session(model)
    let first = try session.answer(try question("What is it?", ["small.png"]))
    _ = try session.answer(try question("Compare them.", ["grey.jpg", "tall.png", "small.png"]))
    let again = try session.answer(try question("What is it?", ["small.png"]))
    #expect(first.tokens == again.tokens)
  }

  /// The seed decides, and nothing else: not the threads, not what was asked before.
  @Test func sameSeedSameAnswer() throws {
    func answer(threads: Int, seed: UInt64) throws -> [Int] {
      let model = try PackedModels.open("nano-mha", .q4, threads: threads)
      var request = try question("What is it?", ["small.png"], maxTokens: 24)
      request.sampling = Sampling(temperature: 0.8, topP: 0.9, repetitionPenalty: 1.1, seed: seed)
      return try Session(model).answer(request).tokens
    }
    let one = try answer(threads: 1, seed: 7)
    for threads in [2, 3, 5] { #expect(try answer(threads: threads, seed: 7) == one) }
    #expect(try answer(threads: 2, seed: 8) != one)
  }

  /// A conversation read turn by turn gives what reading it at once gives, and reads new tokens only.
  @Test(arguments: ["nano-mha", "nano-mla"])
  func remembersWhatItRead(checkpoint: String) throws {
    let model = try PackedModels.open(checkpoint, .q4)
    let picture = try Picture(contentsOf: Fixtures.path("golden/images/small.png"))
    let session = Session(model, caches: true)
    var turns = [Turn(role: .user, text: "What is it?")]
    for round in 0..<3 {
      let request = Session.Request(turns: turns, pictures: [picture], maxTokens: 8)
      let answer = try session.answer(request)
      let alone = try Session(model).answer(request)
      #expect(answer.tokens == alone.tokens && answer.promptTokens == alone.promptTokens)
      #expect(alone.cachedTokens == 0)
      if round > 0 {
        #expect(answer.tiles == 0)
        #expect(answer.promptTokens - answer.cachedTokens < 20)
      }
      turns.append(Turn(role: .assistant, text: answer.text, tokens: answer.tokens))
      turns.append(Turn(role: .user, text: "And number \(round)?"))
    }
    // Another picture in the same place, then the first one again: nothing of the other remains.
    let other = try Picture(contentsOf: Fixtures.path("golden/images/tall.png"))
    for pictures in [[other], [picture], [picture, other], [other, picture]] {
      let request = Session.Request(turns: turns, pictures: pictures, maxTokens: 8)
      #expect(try session.answer(request).tokens == Session(model).answer(request).tokens)
    }
  }
}

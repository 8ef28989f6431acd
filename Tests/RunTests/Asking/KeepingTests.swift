import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// What is kept of earlier questions: answers are those that they are without, and only what is new is read.
@Suite struct KeepingTests {
  private func grey(_ level: UInt8) -> Picture {
    Picture(width: 120, height: 90, pixels: [UInt8](repeating: level, count: 120 * 90 * 3))
  }

  /// A conversation that comes back as text is read from its first new token on.
  @Test(arguments: ["nano-mha", "nano-mla"], [KeyValueCode.int8, .float32])
  func conversationsAsText(checkpoint: String, code: KeyValueCode) throws {
    var options = RuntimeOptions(threads: 2)
    options.keyValues = code
    let model = try Model(path: try PackedModels.path(checkpoint, .q4), options: options)
    let kept = ReadingCache(limit: 1 << 26)
    var written = WrittenAnswers()
    var turns = [Turn.user("What is it?", pictures: [try golden("small.png")])]
    for round in 0..<4 {
      let question = Question(turns, maxTokens: 12)
      let writer = try AnswerWriter(
        question, turns: turns, model: model, kept: kept, written: { written.tokens(of: $0) })
      try writer.work()
      let answer = writer.answer()
      writer.release()
      written.add(answer.text, tokens: try #require(writer.said.tokens))
      // The same as if it had been asked alone, with the tokens that were written.
      var alone = turns
      for index in alone.indices where alone[index].role == .assistant {
        alone[index].tokens = written.tokens(of: alone[index].text)
      }
      let expected = try model.answer(Question(alone, maxTokens: 12))
      #expect(answer.tokens == expected.tokens && expected.counts.cachedTokens == 0)
      #expect(answer.counts.promptTokens == expected.counts.promptTokens)
      if round > 0 {
        // The last token that was written, the end token, and the new turn.
        let new = 2 + model.tokenizer.encode("<|User|>: And number \(round)?\n\n<|Assistant|>:").count
        #expect(answer.counts.readTokens == new && answer.counts.tiles == 0, "\(answer.counts)")
      }
      turns += [.assistant("  " + answer.text + "\n"), .user("And number \(round + 1)?")]
    }
  }

  /// An answer with boxes comes back as text; it is read as the tokens that were written, special ones included.
  @Test func boxesComeBack() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let text = "<|ref|>a dog<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>"
    let tokens = model.tokenizer.encode(text)
    #expect(tokens != model.tokenizer.encode(text, trusted: false))
    var written = WrittenAnswers()
    func read(_ answer: String) throws -> [Int] {
      try Reading(
        [.user("Where?"), .assistant(answer), .user("And?")], room: .init(maxTokens: 4), model: model,
        written: { written.tokens(of: $0) }
      ).prompt.tokens
    }
    // Text that nobody wrote is text.
    #expect(!Set(try read(text)).isSuperset(of: tokens))
    written.add(text, tokens: tokens)
    let prompt = try read(text)
    #expect(prompt.indices.contains { prompt[$0...].starts(with: tokens + [model.endToken]) })
    #expect(!Set(try read(text + ".")).isSuperset(of: tokens))
    // What looks the same but is other bytes was not written.
    written.add("caf\u{E9}", tokens: [5])
    #expect(written.tokens(of: "cafe\u{301}") == nil && written.tokens(of: " caf\u{E9}\n") == [5])
  }

  /// Pictures of one size have the same ids in the prompt, and never share an answer's beginning.
  @Test func picturesAreToldApart() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let kept = ReadingCache(limit: 1 << 26)
    let (dark, light) = (grey(10), grey(240))
    let prompts = try [dark, light].map {
      try Reading([.user("What?", pictures: [$0])], room: .init(maxTokens: 8), model: model).prompt
    }
    #expect(prompts[0].tokens == prompts[1].tokens && prompts[0].pictures == prompts[1].pictures)
    for pictures in [
      [dark], [light], [dark], [light, dark], [dark, light], [light], [dark, dark, light], [dark],
    ] {
      let question = Question("What?", pictures: pictures, maxTokens: 8)
      let answer = try model.answer(question, keeping: kept)
      #expect(try answer.tokens == model.answer(question).tokens)
      #expect(answer.counts.cachedTokens == 0 || answer.counts.tiles == 0)
    }
    // Asked again, nothing is looked at, and one token is read.
    for picture in [dark, light] {
      let again = try model.answer(Question("What?", pictures: [picture], maxTokens: 8), keeping: kept)
      #expect(again.counts.tiles == 0 && again.counts.readTokens == 1, "\(again.counts)")
    }
    // A third picture turns cropping off for the first two: other tiles of the same pictures.
    let wide = try golden("wide.jpg")
    let one = try model.answer(Question("What?", pictures: [wide], maxTokens: 8), keeping: kept)
    let three = Question("What?", pictures: [wide, dark, light], maxTokens: 8)
    let answer = try model.answer(three, keeping: kept)
    #expect(one.counts.tiles > 1 && answer.counts.tiles == 1)
    #expect(try answer.tokens == model.answer(three).tokens)
  }

  /// Ids that look like a picture's places are not a picture.
  @Test func placesWithoutAPicture() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let kept = ReadingCache(limit: 1 << 26)
    let count = try Reading([.user("?", pictures: [grey(1)])], room: .init(maxTokens: 1), model: model)
      .prompt.pictures[0].count
    let marks = String(repeating: "<image>", count: count)
    let real = Question("What is it?", pictures: [grey(1)], maxTokens: 6)
    let marked = Question(
      [Turn(role: .user, parts: [.trusted(marks), .text("\nWhat is it?")])], maxTokens: 6)
    for question in [real, marked, real, marked] {
      #expect(try model.answer(question, keeping: kept).tokens == model.answer(question).tokens)
    }
  }

  /// Two conversations that begin alike do not take each other's place.
  @Test func conversationsPart() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let kept = ReadingCache(limit: 1 << 26)
    let system = Turn.system(String(repeating: "Be kind. ", count: 30))
    var talks = [[system, .user("One?")], [system, .user("Two?")]]
    for round in 0..<3 {
      for index in talks.indices {
        let question = Question(talks[index], maxTokens: 6)
        let answer = try model.answer(question, keeping: kept)
        #expect(try answer.tokens == model.answer(question).tokens)
        if round > 0 || index > 0 { #expect(answer.counts.readTokens < 40, "\(answer.counts)") }
        var said = Turn.assistant(answer.text)
        said.tokens = answer.tokens
        talks[index] += [said, .user("And \(round)?")]
      }
    }
  }

  /// Never more than the bound, and a camera's leavings go first.
  @Test func bound() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let limit = 1_500_000
    let kept = ReadingCache(limit: limit)
    func ask(_ text: String, _ picture: Picture?, camera: Bool) throws -> Answer {
      let question = Question(text, pictures: picture.map { [$0] } ?? [], maxTokens: 4)
      let writer = try AnswerWriter(
        question, turns: question.turns, model: model, kept: kept, owner: .init(isCamera: camera))
      try writer.work()
      writer.release()
      return writer.answer()
    }
    let first = try ask(String(repeating: "a ", count: 60), nil, camera: false)
    #expect(kept.byteCount > 0)
    for level in 0..<20 { _ = try ask("What?", grey(UInt8(level)), camera: true) }
    #expect(kept.byteCount <= limit && kept.byteCount > limit / 3)
    let again = try ask(String(repeating: "a ", count: 60), nil, camera: false)
    #expect(again.counts.readTokens == 1 && again.tokens == first.tokens)
    while kept.dropOne() {}
    #expect(kept.byteCount == 0)
    // Nothing at all.
    let none = ReadingCache(limit: 0)
    _ = try model.answer(Question("What?", pictures: [grey(1)], maxTokens: 2), keeping: none)
    #expect(none.byteCount == 0)
  }

  /// Work that is interrupted anywhere goes on and gives the same answer, whatever happened meanwhile.
  @Test func interruptions() throws {
    struct Interrupt: Error {}
    let model = try PackedModels.open("nano-mha", .q4)
    var question = Question(
      "Say a number: " + String(repeating: "a ", count: 200), pictures: [try golden("wide.jpg")],
      maxTokens: 16)
    question.sampling = Sampling(temperature: 0.9, topP: 0.9, repetitionPenalty: 1.1, seed: 5)
    question.likeliestTokens = 2
    let expected = try model.answer(question)
    for kept in [ReadingCache(limit: 1 << 26), ReadingCache(limit: 0)] {
      var random = SplitMix64(seed: 3)
      for round in 0..<6 {
        var text = ""
        let writer = try AnswerWriter(
          question, turns: question.turns, model: model, kept: kept,
          emit: { if case .text(let piece, _) = $0 { text += piece } })
        while true {
          var left = Int.random(in: 1...60, using: &random)
          do {
            try writer.work {
              left -= 1
              if left == 0 { throw Interrupt() }
            }
            break
          } catch is Interrupt {
            if Bool.random(using: &random) {
              writer.release()
              _ = try model.answer(Question("Something else", maxTokens: 2), keeping: kept)
            }
          }
        }
        let answer = writer.answer()
        #expect(answer.tokens == expected.tokens && text == expected.text && answer.text == text)
        #expect(answer.probabilities == expected.probabilities)
        // What it had read itself before it was interrupted does not count.
        if round == 0 { #expect(answer.counts.cachedTokens < 10, "\(answer.counts)") }
      }
    }
  }

  /// The same for choices, which use the logits after the prompt up.
  @Test(arguments: [1 << 26, 0]) func interruptedChoices(keeping: Int) throws {
    struct Interrupt: Error {}
    let model = try PackedModels.open("nano-mha", .q4)
    var question = Question("What is it?", pictures: [try golden("small.png")])
    question.form = .choices(["a cat", "a dog", "something else"])
    let expected = try model.answer(question).choices.choices.map(\.probability)
    let kept = ReadingCache(limit: keeping)
    for step in [1, 7, 40] {
      let writer = try AnswerWriter(question, turns: question.turns, model: model, kept: kept)
      var limit = 0
      while true {
        limit += step
        var left = limit
        do {
          try writer.work {
            left -= 1
            if left == 0 { throw Interrupt() }
          }
          break
        } catch is Interrupt { writer.release() }
      }
      #expect(writer.answer().choices.choices.map(\.probability) == expected)
      writer.release()
    }
  }
}

import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// Answers of one model to one question after the other, with nothing kept between them.
@Suite struct AnswerTests {
  private func question(_ text: String, _ pictures: [String] = [], maxTokens: Int = 12) throws -> Question {
    Question(text, pictures: try pictures.map(golden), maxTokens: maxTokens)
  }

  /// The greedy tokens of the reference.
  @Test func goldenAnswer() throws {
    let model = try PackedModels.open("nano-mha", .bf16, activations: .float32)
    let golden = try SafetensorsFile(path: Fixtures.path("golden/nano-mha/one-image.safetensors"))
    let answer = try model.answer(try question("What is in the image?", ["wide.jpg"], maxTokens: 24))
    #expect(try answer.tokens == golden.integers(of: "greedy"))
    #expect(try answer.counts.promptTokens == golden.shape(of: "input_ids")[0])
    #expect(answer.text == model.tokenizer.decode(answer.tokens))
    #expect(answer.counts.writtenTokens == answer.tokens.count && answer.counts.tiles == answer.plan?.total)
  }

  @Test func eventsTellWhatIsDone() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var (pieces, looked, read) = ("", [Int](), [Int]())
    let answer = try model.answer(try question("Count to ten.", ["wide.jpg"], maxTokens: 40)) { event in
      switch event {
      case .text(let piece, _): pieces += piece
      case .looking(let layer, let all):
        #expect(all == model.towerLayers)
        looked.append(layer)
      case .reading(let tokens, _): read.append(tokens)
      case .queued, .planned, .boxes, .done: break
      }
    }
    #expect(pieces == answer.text && answer.tokens.count == 40 && answer.ending == .maxTokens)
    #expect(looked == looked.sorted() && looked.last == model.towerLayers)
    #expect(read == read.sorted() && read.last == answer.counts.promptTokens)
  }

  /// Writing ends where the context does: 1,024 positions in the nano models.
  @Test func contextEnds() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var question = try question(String(repeating: "a ", count: 480), maxTokens: 100_000)
    question.stopsLoops = false
    let answer = try model.answer(question)
    #expect(answer.ending == .context)
    // Nothing is computed from the last token, so it needs no place.
    #expect(
      answer.counts.promptTokens + answer.tokens.count == model.config.language.maxPositions + 1)
  }

  @Test func refused() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    #expect(throws: PromptError.self) { try model.answer(question(String(repeating: "a 1 ", count: 2000))) }
    #expect(throws: QuestionError.noQuestion) { try model.answer(Question([.assistant("Well.")])) }
    #expect(throws: QuestionError.noQuestion) { try model.answer(Question([])) }
    var begun = try question("What?")
    begun.turns.append(.assistant("It is"))
    #expect(throws: QuestionError.noQuestion) {
      try model.answer(Question(begun.turns + [.assistant("red")]))
    }
    begun.form = .choices(["a", "b"])
    #expect(throws: QuestionError.beginningWithForm) { try model.answer(begun) }
  }

  /// Nothing of an earlier question remains.
  @Test func questionsAreIndependent() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let first = try model.answer(try question("What is it?", ["small.png"]))
    _ = try model.answer(try question("Compare them.", ["grey.jpg", "tall.png", "small.png"]))
    let again = try model.answer(try question("What is it?", ["small.png"]))
    #expect(first.tokens == again.tokens)
  }

  /// The seed decides, and nothing else: not the threads, not what was asked before.
  @Test func sameSeedSameAnswer() throws {
    func answer(threads: Int, seed: UInt64) throws -> [Int] {
      let model = try PackedModels.open("nano-mha", .q4, threads: threads)
      var question = try question("What is it?", ["small.png"], maxTokens: 24)
      question.sampling = Sampling(temperature: 0.8, topP: 0.9, repetitionPenalty: 1.1, seed: seed)
      return try model.answer(question).tokens
    }
    let one = try answer(threads: 1, seed: 7)
    for threads in [2, 3, 5] { #expect(try answer(threads: threads, seed: 7) == one) }
    #expect(try answer(threads: 2, seed: 8) != one)
  }

  /// A stop text ends the answer before it, wherever it is cut, and what only looks like one is not lost.
  @Test func stopTexts() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let whole = try model.answer(try question("Count to ten.", maxTokens: 40))
    let characters = Array(whole.text)
    for (first, length) in [(0, 2), (5, 1), (9, 4), (characters.count - 3, 3)] {
      let stop = String(characters[first..<first + length])
      var question = try question("Count to ten.", maxTokens: 40)
      question.stops = ["", "never comes", stop]
      var pieces = ""
      let answer = try model.answer(question) { if case .text(let piece, _) = $0 { pieces += piece } }
      let end = try #require(whole.text.range(of: stop)).lowerBound
      #expect(answer.text == String(whole.text[..<end]) && pieces == answer.text, "\(stop)")
      #expect(answer.ending == .stop)
    }
    var question = try question("Count to ten.", maxTokens: 40)
    question.stops = [whole.text + "x", "never comes"]
    #expect(try model.answer(question).text == whole.text)
  }

  /// Each token's probability is that of the model's own distribution, and the texts make up the answer.
  @Test func probabilities() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var question = try question("Count to ten.", maxTokens: 20)
    question.likeliestTokens = 4
    var streamed: [TokenProbability] = []
    let answer = try model.answer(question) { if case .text(_, let tokens) = $0 { streamed += tokens } }
    #expect(answer.probabilities == streamed && streamed.count == answer.tokens.count)
    #expect(streamed.flatMap(\.written.bytes) == answer.tokens.flatMap(model.tokenizer.bytes))
    let reading = try Reading(question.turns, room: .init(maxTokens: 20), model: model)
    for (place, token) in answer.tokens.enumerated() {
      let logits = try reading.logits(after: Array(answer.tokens[..<place]))
      let row = (0..<logits.columns).map { Double(logits[0][$0]) }
      let largest = row.max() ?? 0
      let sum = row.reduce(0) { $0 + exp($1 - largest) }
      let expected = row[token] - largest - log(sum)
      #expect(abs(streamed[place].written.logProbability - expected) < 1e-6)
      // Greedy: what was written was the likeliest.
      #expect(streamed[place].likeliest.first == streamed[place].written)
      let likeliest = streamed[place].likeliest.map(\.logProbability)
      #expect(likeliest == likeliest.sorted(by: >) && likeliest.count == 4)
    }
  }

  /// The model goes on from a given beginning as from tokens of its own.
  @Test(arguments: ["nano-mha", "nano-mla"]) func beginnings(checkpoint: String) throws {
    let model = try PackedModels.open(checkpoint, .q4)
    var question = try question("Count to ten.", maxTokens: 12)
    question.stopsLoops = false
    let reading = try Reading(question.turns, room: .init(maxTokens: 40), model: model)
    question.turns.append(.assistant(" One, two "))
    let answer = try model.answer(question)
    var tokens = model.tokenizer.encode("One, two", trusted: false)
    let begun = tokens.count
    for _ in 0..<answer.tokens.count {
      tokens.append(model.decoder.likeliest(try reading.logits(after: tokens)))
    }
    #expect(answer.tokens == Array(tokens.dropFirst(begun)) && answer.tokens.count == 12)
    #expect(answer.text == model.tokenizer.decode(answer.tokens))
  }

  /// The repetition penalty counts the prompt, with its pictures' token and what the answer begins with, and the answer.
  @Test func penalisedAsPublished() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let penalty: Float = 1.3
    var question = try question("Count to ten: one, two, three.", ["small.png"], maxTokens: 16)
    question.turns.append(.assistant("One, two"))
    question.stopsLoops = false
    question.sampling.repetitionPenalty = penalty
    let answer = try model.answer(question)
    let reading = try Reading(question.turns, room: .init(maxTokens: 16), model: model)
    #expect(reading.prompt.tokens.contains(model.tokenizer.imageToken))
    var (tokens, plain): ([Int], [Int]) = ([], [])
    for _ in 0..<answer.tokens.count {
      let logits = try reading.logits(after: tokens)
      var row = (0..<logits.columns).map { logits[0][$0] }
      plain.append(row.indices.max { row[$0] < row[$1] } ?? 0)
      for token in Set(reading.prompt.tokens + tokens) {
        row[token] = row[token] > 0 ? row[token] / penalty : row[token] * penalty
      }
      tokens.append(try #require(row.indices.max { row[$0] < row[$1] }))
    }
    #expect(answer.tokens == tokens && tokens != plain && tokens.count == 16)
  }

  /// A question is tokenised once, whatever is planned and weighed.
  @Test(arguments: [
    TileLimit.context, .tiles(3), .seconds(0.5, at: .init(tileSeconds: 0.2, promptTokensPerSecond: 100)),
  ])
  func tokenisedOnce(limit: TileLimit) throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let template = "<|User|>: \n\n\n<|Assistant|>:".utf8.count
    let text = "How many are there?"
    var question = try question(text, ["wide.jpg"], maxTokens: 5)
    question.tileLimit = limit
    var before = model.tokenizer.encodedBytes
    let answer = try model.answer(question)
    #expect(model.tokenizer.encodedBytes - before == text.utf8.count + template)
    if limit != .context { #expect(answer.counts.tiles <= 3) }
    question.form = .choices(["one", "two"])
    before = model.tokenizer.encodedBytes
    _ = try model.answer(question)
    #expect(model.tokenizer.encodedBytes - before == text.utf8.count + template + 6)
  }
}

import Foundation
import TestModels
import TestRuntime
import Testing
import VL2Run

@Suite struct ChoiceTests {
  private func question(_ choices: [String]) -> Question {
    var question = Question("What is it?")
    question.form = .choices(choices)
    return question
  }

  /// Each choice's weight is what its tokens' probabilities multiply to, read one by one.
  @Test func weights() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let choices = ["a", "a cat", "dog", "貓"]
    let scores = try model.answer(question(choices)).choices
    #expect(Set(scores.choices.map(\.text)) == Set(choices))
    #expect(abs(scores.choices.map(\.probability).reduce(0, +) - 1) < 1e-9)
    #expect(zip(scores.choices, scores.choices.dropFirst()).allSatisfy { $0.probability >= $1.probability })
    // The two likeliest, held against the decoder itself.
    let logs = try scores.choices.prefix(2).map { try logProbability($0.text, model) }
    let (first, second) = (scores.choices[0].probability, scores.choices[1].probability)
    #expect(abs(log(first / second) - (logs[0] - logs[1])) < 1e-3)
  }

  private func logProbability(_ text: String, _ model: Model) throws -> Double {
    let prompt = try Reading([.user("What is it?")], room: .init(maxTokens: 1), model: model).prompt
    let cache = try model.decoder.makeCache(positions: 200)
    var sum = 0.0
    var row: [Float] = []
    for token in prompt.tokens {
      let logits = try model.decoder.logits(after: token, cache: cache)
      row = (0..<logits.columns).map { logits[0][$0] }
    }
    for token in model.tokenizer.encode(text) + [model.endToken] {
      let largest = Double(row.max() ?? 0)
      sum += Double(row[token]) - largest - log(row.reduce(0.0) { $0 + exp(Double($1) - largest) })
      let logits = try model.decoder.logits(after: token, cache: cache)
      row = (0..<logits.columns).map { logits[0][$0] }
    }
    return sum
  }

  @Test func abstains() throws {
    let scores = try PackedModels.open("nano-mha", .q4).answer(question(["x", "y"])).choices
    let best = scores.choices[0]
    #expect(scores.best()?.text == best.text)
    #expect(scores.best(atLeast: best.probability)?.text == best.text)
    #expect(scores.best(atLeast: best.probability + 0.01) == nil)
  }

  /// What was weighed leaves nothing behind.
  @Test func leavesNothingBehind() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let kept = ReadingCache(limit: 1 << 24)
    let expected = try model.answer(Question("What is it?")).tokens
    let weighed = try model.answer(question(["a cat", "a dog"]), keeping: kept)
    let answer = try model.answer(Question("What is it?"), keeping: kept)
    #expect(answer.tokens == expected && answer.counts.readTokens == 1)
    #expect(
      try model.answer(question(["a cat", "a dog"])).choices.choices.map(\.probability)
        == weighed.choices.choices.map(\.probability))
  }

  @Test func refused() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    func answer(_ choices: [String]) throws -> Answer { try model.answer(question(choices)) }
    #expect(throws: ChoiceError.tooFew(1)) { try answer(["a"]) }
    #expect(throws: ChoiceError.empty) { try answer(["a", " "]) }
    #expect(throws: ChoiceError.twice("a")) { try answer(["a", "b", "a"]) }
    let long = String(repeating: "word ", count: 3000)
    #expect(throws: ChoiceError.tooLong(long)) { try answer(["a", long]) }
  }
}

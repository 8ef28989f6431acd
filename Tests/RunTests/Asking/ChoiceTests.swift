import Foundation
import TestModels
import TestRuntime
import Testing
import VL2Run

@Suite struct ChoiceTests {
  private let request = Session.Request(turns: [Turn(role: .user, text: "What is it?")])

  /// Each choice's weight is what its tokens' probabilities multiply to, read one by one.
  @Test func weights() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let choices = ["a", "a cat", "dog", "貓"]
    let scores = try Session(model).choose(among: choices, request)
    #expect(Set(scores.choices.map(\.text)) == Set(choices))
    #expect(abs(scores.choices.map(\.probability).reduce(0, +) - 1) < 1e-9)
    #expect(zip(scores.choices, scores.choices.dropFirst()).allSatisfy { $0.probability >= $1.probability })
    // The two likeliest, held against the decoder itself.
    let logs = try scores.choices.prefix(2).map { try logProbability($0.text, model) }
    let (first, second) = (scores.choices[0].probability, scores.choices[1].probability)
    #expect(abs(log(first / second) - (logs[0] - logs[1])) < 1e-3)
  }

  private func logProbability(_ text: String, _ model: Model) throws -> Double {
    let prompt = try Prompt(
      turns: request.turns, imageGrids: [], tokenizer: model.tokenizer, config: model.config)
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
    let scores = try Session(try PackedModels.open("nano-mha", .q4)).choose(among: ["x", "y"], request)
    let best = scores.choices[0]
    #expect(scores.best()?.text == best.text)
    #expect(scores.best(atLeast: best.probability)?.text == best.text)
    #expect(scores.best(atLeast: best.probability + 0.01) == nil)
  }

  /// What was weighed leaves nothing behind in a session that caches.
  @Test func leavesNothingBehind() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let session = Session(model, caches: true)
    let expected = try Session(model).answer(request).tokens
    _ = try session.choose(among: ["a cat", "a dog"], request)
    #expect(try session.answer(request).tokens == expected)
  }

  @Test func refused() throws {
    let session = Session(try PackedModels.open("nano-mha", .q4))
    #expect(throws: ChoiceError.tooFew(1)) { try session.choose(among: ["a"], request) }
    #expect(throws: ChoiceError.empty) { try session.choose(among: ["a", " "], request) }
    #expect(throws: ChoiceError.twice("a")) { try session.choose(among: ["a", "b", "a"], request) }
    let long = String(repeating: "word ", count: 3000)
    #expect(throws: ChoiceError.tooLong(long)) { try session.choose(among: ["a", long], request) }
  }
}

import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Measure
import VL2Quant
import VL2Run

/// How near a model is to a reference.
@Suite struct ComparisonTests {
  private func picture(_ name: String) throws -> Picture {
    try Picture(contentsOf: Fixtures.path("golden/images/" + name))
  }

  @Test func divergence() {
    func logits(_ probabilities: [Double]) -> [Float] { probabilities.map { Float(log($0)) + 7 } }
    func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-6 }
    // ln 2 / 2 + ln(2 / 3) / 2
    #expect(near(ModelComparison.divergence(logits([0.5, 0.5]), logits([0.25, 0.75])), 0.143_841_036))
    // ln 2 / 4 - ln(2 / 3) * 3 / 4, the other way about
    #expect(near(ModelComparison.divergence(logits([0.25, 0.75]), logits([0.5, 0.5])), 0.130_812_035))
    #expect(ModelComparison.divergence([3, -2, 80], [3, -2, 80]) == 0)
    // What one holds to be impossible is finite for logits that are.
    #expect(near(ModelComparison.divergence([0, -3000], [-3000, 0]), 3000))
  }

  /// The answers are those that each model gives by itself, and the numbers say which packing is nearer.
  @Test func packingsOfOneCheckpoint() throws {
    let reference = try PackedModels.open("nano-mha", .bf16)
    func compare(_ weights: WeightCode) throws -> ModelComparison.Answer {
      let model = try PackedModels.open("nano-mha", weights)
      let compared = try ModelComparison(model, reference: reference).ask(
        "What is it?", about: try picture("wide.jpg"), name: "wide.jpg", maxTokens: 12)
      for (text, model) in [(compared.modelText, model), (compared.referenceText, reference)] {
        var question = Question("What is it?", pictures: [try picture("wide.jpg")], maxTokens: 12)
        question.stopsLoops = false
        let again = try model.answer(question).text
        #expect(text == again)
      }
      return compared
    }
    let (same, int8, q4) = (try compare(.bf16), try compare(.int8), try compare(.q4))
    #expect(same.divergence == 0 && same.agreeing == same.tokens && same.tokens > 0 && same.tokens <= 13)
    #expect(same.modelText == same.referenceText)
    #expect(int8.tokens == same.tokens && q4.tokens == same.tokens)
    #expect(0 < int8.divergence && 5 * int8.divergence < q4.divergence)
    #expect(
      q4.largestDivergence <= q4.divergence && q4.largestDivergence * Double(q4.tokens) >= q4.divergence)
  }

  /// Models whose tokens mean other things have nothing to compare.
  @Test func modelsThatCutPicturesOtherwise() throws {
    try withTemporaryFolder { folder in
      let golden = Fixtures.checkpoint("nano-mha")
      try link(golden, into: folder, except: ["processor_config.json"])
      var processor = try jsonObject(contentsOf: golden + "/processor_config.json")
      let sizes = try #require(processor["candidate_resolutions"] as? [Any])
      processor["candidate_resolutions"] = Array(sizes.prefix(1))
      try write(jsonText(processor).utf8, to: folder + "/processor_config.json")
      try packed(folder, to: folder + "/model.vl2q")
      let other = try Model(path: folder + "/model.vl2q", options: RuntimeOptions(threads: 1))
      #expect(throws: ComparisonError.self) {
        try ModelComparison(other, reference: try PackedModels.open("nano-mha", .q4))
      }
    }
  }
}

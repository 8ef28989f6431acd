import Foundation
import TestSupport
import Testing
import VL2Measure
import VL2Quant
import VL2Run

/// `vl2 eval --against`: how near a model is to a reference.
@Suite struct ComparisonTests {
  private let vl2 = Tool("vl2")

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
        var request = Session.Request(
          turns: [Turn(role: .user, text: "What is it?")], pictures: [try picture("wide.jpg")], maxTokens: 12)
        request.stopsLoops = false
        let again = try Session(model).answer(request).text
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

  private func withQuestions(_ body: (_ folder: String, _ words: [String]) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(atPath: folder + "/images", withIntermediateDirectories: true)
      for name in ["small.png", "grey.jpg"] {
        try FileManager.default.copyItem(
          atPath: Fixtures.path("golden/images/" + name), toPath: folder + "/images/" + name)
      }
      try Data("not a picture".utf8).write(to: URL(fileURLWithPath: folder + "/images/notes.txt"))
      try Data("What is it?\n\n  \nWhere?\n".utf8).write(to: URL(fileURLWithPath: folder + "/questions.txt"))
      try body(
        folder,
        [
          "eval", "--model", try PackedModels.path("nano-mha", .q4), "--against",
          try PackedModels.path("nano-mha", .bf16), "--images", folder + "/images", "--questions",
          folder + "/questions.txt", "--max-tokens", "6",
        ])
    }
  }

  @Test func command() throws {
    try withQuestions { folder, words in
      let run = try vl2.run(words + ["--json"])
      #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
      let answers = try #require(object["answers"] as? [[String: Any]])
      #expect(
        answers.map { "\($0["picture"] ?? "") \($0["question"] ?? "")" } == [
          "grey.jpg What is it?", "grey.jpg Where?", "small.png What is it?", "small.png Where?",
        ])
      let overall = try #require(object["overall"] as? [String: Any])
      #expect(overall["answers"] as? Int == 4)
      #expect(overall["differing"] as? Int == answers.filter { $0["differs"] as? Bool == true }.count)
      let tokens = answers.compactMap { $0["tokens"] as? Int }
      #expect(overall["tokens"] as? Int == tokens.reduce(0, +))
      let means = answers.compactMap { $0["mean_kl"] as? Double }
      let mean = zip(tokens, means).reduce(0) { $0 + Double($1.0) * $1.1 } / Double(tokens.reduce(0, +))
      #expect(abs((overall["mean_kl"] as? Double ?? -1) - mean) < 1e-9 && mean > 0)
      let agreement = try #require(overall["top_token_agreement"] as? Double)
      #expect((0...1).contains(agreement))

      let text = try vl2.run(words + ["--limit", "1"])
      #expect(text.status == 0 && text.output.contains("of 1\n") && text.output.contains("mean KL"))
      let same = try vl2.run(words + ["--model", try PackedModels.path("nano-mha", .bf16), "--limit", "2"])
      #expect(same.output.contains("answers that differ  0 of 2") && same.output.contains("100.00 %"))
    }
  }

  @Test func refusals() throws {
    try withQuestions { folder, words in
      func replaced(_ option: String, _ value: String) -> [String] {
        var words = words
        if let index = words.firstIndex(of: option) { words[index + 1] = value }
        return words
      }
      try Data("\n".utf8).write(to: URL(fileURLWithPath: folder + "/empty.txt"))
      let cases: [(words: [String], status: Int32, part: String)] = [
        (replaced("--images", folder + "/none"), 66, "none: no such folder"),
        (replaced("--images", folder), 66, "holds no pictures"),
        (replaced("--questions", folder + "/none"), 66, "none: no such file"),
        (replaced("--questions", folder + "/empty.txt"), 65, "holds no questions"),
        (replaced("--against", folder + "/none.vl2q"), 66, "none.vl2q"),
        (Array(words.dropLast(4)), 64, "--questions"), (words + ["--items", "x"], 64, "--items"),
        (["eval", "--model", "x"], 64, "--items"),
        (["eval", "--model", "x", "--images", "x"], 64, "--against"),
        (words + ["--answers", "x"], 64, "--answers"),
      ]
      for (words, status, part) in cases {
        let run = try vl2.run(words)
        #expect(run.status == status && run.output.isEmpty, "\(words): \(run.errors)")
        #expect(run.errors.contains(part), "\(run.errors)")
      }
    }
  }

  /// Models whose tokens mean other things have nothing to compare.
  @Test func modelsThatCutPicturesOtherwise() throws {
    try withTemporaryFolder { folder in
      let golden = Fixtures.path("golden/checkpoints/nano-mha")
      for name in try FileManager.default.contentsOfDirectory(atPath: golden)
      where name != "processor_config.json" {
        try FileManager.default.createSymbolicLink(
          atPath: folder + "/" + name, withDestinationPath: golden + "/" + name)
      }
      let data = try Data(contentsOf: URL(fileURLWithPath: golden + "/processor_config.json"))
      var processor = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      let sizes = try #require(processor["candidate_resolutions"] as? [Any])
      processor["candidate_resolutions"] = Array(sizes.prefix(1))
      try JSONSerialization.data(withJSONObject: processor).write(
        to: URL(fileURLWithPath: folder + "/processor_config.json"))
      try ModelPacker(recipe: Recipe(matrices: .q4), compression: .never, threads: 2, tool: "tests").pack(
        Checkpoint(folder: folder), to: folder + "/model.vl2q")
      let other = try Model(path: folder + "/model.vl2q", options: RuntimeOptions(threads: 1))
      #expect(throws: ComparisonError.self) {
        try ModelComparison(other, reference: try PackedModels.open("nano-mha", .q4))
      }
    }
  }
}

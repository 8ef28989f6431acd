import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 eval --against`: how near a model is to a reference.
@Suite struct CompareCommandTests {
  private let vl2 = Tool("vl2")

  private func withQuestions(_ body: (_ folder: String, _ words: [String]) throws -> Void) throws {
    try withQuestionFolder("What is it?\n\n  \nWhere?\n") { folder in
      try write("not a picture".utf8, to: folder + "/images/notes.txt")
      try body(
        folder,
        [
          "eval", "--model", try PackedModels.path("nano-mha", .q4), "--against",
          try PackedModels.path("nano-mha", .bf16), "--images", folder + "/images", "--questions",
          folder + "/questions.txt", "--max-tokens", "6",
        ])
    }
  }

  /// Words with another value of an option.
  private func replaced(_ words: [String], _ option: String, _ value: String) -> [String] {
    var words = words
    if let index = words.firstIndex(of: option) { words[index + 1] = value }
    return words
  }

  @Test func command() throws {
    try withQuestions { folder, words in
      let run = try vl2.run(words + ["--json"])
      #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
      let object = try jsonObject(run.output)
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
      let same = try vl2.run(
        replaced(words, "--model", try PackedModels.path("nano-mha", .bf16)) + ["--limit", "2"])
      #expect(same.output.contains("answers that differ  0 of 2") && same.output.contains("100.00 %"))
    }
  }

  @Test func refusals() throws {
    try withQuestions { folder, words in
      func replaced(_ option: String, _ value: String) -> [String] { self.replaced(words, option, value) }
      try write("\n".utf8, to: folder + "/empty.txt")
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
}

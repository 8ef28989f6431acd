import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 eval --perplexity`: how well a model foresees a text.
@Suite struct PerplexityCommandTests {
  private let vl2 = Tool("vl2")
  private static let text =
    "A lighthouse stands on the rock. Its lamp turns once in ten seconds, and ships see it from far away.\n"

  @Test func command() throws {
    try withTemporaryFolder { folder in
      try write(String(repeating: Self.text, count: 3).utf8, to: folder + "/text.txt")
      let words = [
        "eval", "--model", try PackedModels.path("nano-mha", .q4), "--perplexity", folder + "/text.txt",
        "--window",
        "32",
      ]
      let alone = try vl2.run(words + ["--json"])
      #expect(alone.status == 0 && alone.errors.isEmpty, "\(alone.errors)")
      let object = try jsonObject(alone.output)
      #expect(jsonKeys(object).allSatisfy(isSnakeCase) && object["against"] == nil)
      let mean = try #require(object["negative_log_likelihood"] as? Double)
      let perplexity = try #require(object["perplexity"] as? Double)
      #expect(abs(exp(mean) - perplexity) < 1e-9 * perplexity && perplexity > 1)
      let windows = try #require(object["windows"] as? Int)
      #expect(windows > 2 && object["window"] as? Int == 32)
      let tokens = try #require(object["tokens"] as? Int)
      #expect(tokens > 30 * (windows - 1) && tokens <= 30 * windows)
      #expect((object["perplexity_error"] as? Double ?? 0) > 0)

      let both = words + ["--against", try PackedModels.path("nano-mha", .bf16)]
      let compared = try jsonObject(try vl2.run(both + ["--json"]).output)
      #expect(compared["perplexity"] as? Double == perplexity)
      #expect(jsonKeys(compared).allSatisfy(isSnakeCase))
      let against = try #require(compared["against"] as? [String: Any])
      let kl = try #require(against["mean_kl"] as? Double)
      let (low, high) = (against["mean_kl_low"] as? Double ?? -1, against["mean_kl_high"] as? Double ?? -1)
      #expect(0 <= low && low < kl && kl < high && kl <= against["largest_kl"] as? Double ?? 0)
      let agreement = try #require(against["top_token_agreement"] as? Double)
      #expect((0..<1).contains(agreement))

      let text = try vl2.run(both + ["--limit", "1"])
      #expect(text.status == 0 && text.output.contains("30 in 1 windows"), "\(text.output)")
      #expect(text.output.contains("mean KL") && !text.output.contains("95 %"))
      // No bit depends on the number of threads.
      let again = try jsonObject(try vl2.run(words + ["--json", "--threads", "1"]).output)
      #expect(again["negative_log_likelihood"] as? Double == mean)
    }
  }

  @Test func refusals() throws {
    try withTemporaryFolder { folder in
      try write("A text of some words.".utf8, to: folder + "/text.txt")
      try write("".utf8, to: folder + "/empty.txt")
      try write([0x41, 0xC3, 0x28], to: folder + "/latin.txt")
      let model = try PackedModels.path("nano-mha", .q4)
      func words(_ text: String, _ more: String...) -> [String] {
        ["eval", "--model", model, "--perplexity", folder + "/" + text] + more
      }
      let cases: [(words: [String], status: Int32, part: String)] = [
        (words("none.txt"), 66, "none.txt: no such file"),
        (words("."), 74, "not a regular file"),
        (words("empty.txt"), 65, "holds too little text"),
        (words("latin.txt"), 65, "not UTF-8"),
        (words("text.txt", "--window", "2"), 64, "--window 2"),
        (words("text.txt", "--window", "999999"), 64, "a window of 999999 tokens"),
        (words("text.txt", "--items", "x"), 64, "--items"),
        (words("text.txt", "--images", "x"), 64, "--images"),
        (words("text.txt", "--answers", "x"), 64, "--answers"),
        (words("text.txt", "--against", try PackedModels.pocket()), 65, "other tokenisers"),
        (["eval", "--model", model, "--items", "x", "--window", "9"], 64, "--window"),
      ]
      for (words, status, part) in cases {
        let run = try vl2.run(words)
        #expect(run.status == status && run.output.isEmpty, "\(words): \(run.errors)")
        #expect(run.errors.contains(part), "\(run.errors)")
      }
    }
  }
}

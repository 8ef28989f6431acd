import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 eval --tsv` as a user meets it.
@Suite struct BenchmarkCommandTests {
  private let vl2 = Tool("vl2")
  private static let words = ["eval", "--benchmark", "plain", "--max-tokens", "16", "--json"]

  /// Questions of pocket's whose answers are texts: as items, and as a table with the pictures in it.
  private func write(_ count: Int, in folder: String) throws -> (items: String, table: String) {
    let source = Fixtures.pocket + "/eval/ci"
    let text = try String(contentsOfFile: source + "/items.jsonl", encoding: .utf8)
    var (lines, rows): ([String], [[String]]) = ([], [["index", "image", "question", "answer", "category"]])
    for line in text.split(separator: "\n") where lines.count < count {
      var item = try jsonObject(String(line))
      guard item["match"] == nil, let question = item["question"] as? String,
        let task = item["task"] as? String,
        let pictures = item["images"] as? [String]
      else { continue }
      let answers = item["answer"] as? [String] ?? [item["answer"] as? String ?? ""]
      let coded = try pictures.map {
        try Data(contentsOf: URL(fileURLWithPath: source + "/" + $0)).base64EncodedString()
      }
      func list(_ texts: [String]) -> String { "[" + texts.map { "'\($0)'" }.joined(separator: ", ") + "]" }
      rows.append([
        "\(lines.count)", coded.count == 1 ? coded[0] : list(coded), question, list(answers), task,
      ])
      item["images"] = pictures.map { source + "/" + $0 }
      lines.append(try jsonText(item))
    }
    let (items, table) = (folder + "/items.jsonl", folder + "/pocket.tsv")
    try TestSupport.write(lines.map { $0 + "\n" }.joined().utf8, to: items)
    try TestSupport.write(rows.map { $0.joined(separator: "\t") + "\n" }.joined().utf8, to: table)
    return (items, table)
  }

  /// A table of pocket's pictures gives what the same questions give as items.
  @Test func asItems() throws {
    let model = try PackedModels.pocket()
    try withTemporaryFolder { folder in
      let (items, table) = try write(16, in: folder)
      let one = try vl2.run([
        "eval", "--model", model, "--items", items, "--max-tokens", "16", "--json", "--answers",
        folder + "/a.jsonl",
      ])
      let other = try vl2.run(
        Self.words + ["--model", model, "--tsv", table, "--answers", folder + "/b.jsonl"])
      #expect(one.status == 0 && other.status == 0, "\(one.errors)\(other.errors)")
      let (first, second) = (try jsonObject(one.output), try jsonObject(other.output))
      let (right, scored) = (first["overall"] as? [String: Any], second["overall"] as? [String: Any])
      let accuracy = try #require(right?["accuracy"] as? Double)
      let score = try #require(scored?["score"] as? Double)
      #expect(abs(score - 100 * accuracy) < 1e-9 && scored?["items"] as? Int == 16 && accuracy > 0.5)
      let low = try #require(scored?["low"] as? Double)
      let high = try #require(scored?["high"] as? Double)
      #expect(low < score && score <= high && second["interval"] as? String == "wilson")
      let tasks = try #require(first["tasks"] as? [String: [String: Any]])
      let groups = try #require(second["groups"] as? [String: [String: [String: Any]]])["category"]
      #expect(groups?.keys.sorted() == tasks.keys.sorted())
      for (task, score) in tasks {
        #expect(groups?[task]?["items"] as? Int == score["items"] as? Int, "\(task)")
        #expect(
          groups?[task]?["score"] as? Double == (score["accuracy"] as? Double).map { 100 * $0 }, "\(task)")
      }
      #expect(try answers(folder + "/a.jsonl") == answers(folder + "/b.jsonl"))
    }
  }

  private func answers(_ path: String) throws -> [String] {
    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
      try jsonObject(String($0))["answer"] as? String ?? "none"
    }
  }

  /// A run that was stopped goes on where it was, and ends as one that was not.
  @Test func resuming() throws {
    let model = try PackedModels.pocket()
    try withTemporaryFolder { folder in
      let (_, table) = try write(6, in: folder)
      let (whole, parts) = (folder + "/whole.jsonl", folder + "/parts.jsonl")
      func run(_ file: String, _ words: [String]) throws -> ToolRun {
        try vl2.run(Self.words + ["--model", model, "--tsv", table, "--answers", file] + words)
      }
      let once = try run(whole, [])
      #expect(once.status == 0, "\(once.errors)")
      #expect(try run(parts, ["--limit", "3"]).status == 0)
      // A kill may leave a beginning of a line.
      let written = try String(contentsOfFile: whole, encoding: .utf8)
      let begun = try String(contentsOfFile: parts, encoding: .utf8)
      #expect(written.hasPrefix(begun) && begun.split(separator: "\n").count == 3)
      try TestSupport.write((begun + #"{"answer":"re"#).utf8, to: parts)
      let again = try run(parts, [])
      #expect(again.status == 64 && again.errors.contains("--resume"), "\(again.errors)")
      let resumed = try run(parts, ["--resume"])
      #expect(resumed.status == 0, "\(resumed.errors)")
      #expect(try String(contentsOfFile: parts, encoding: .utf8) == written)
      func scores(_ run: ToolRun) throws -> NSDictionary {
        var report = try jsonObject(run.output)
        var overall = report["overall"] as? [String: Any]
        overall?["seconds"] = nil
        report["overall"] = overall
        return report as NSDictionary
      }
      #expect(try scores(resumed) == scores(once))
      // Answers of other settings, or of more items, are not taken for these.
      for words in [["--exact"], ["--limit", "5"], ["--background", "black"]] {
        let other = try run(parts, ["--resume"] + words)
        #expect(
          other.status == 65 && other.errors.contains("parts.jsonl, line "), "\(words): \(other.errors)")
      }
      #expect(try String(contentsOfFile: parts, encoding: .utf8) == written)
    }
  }

  /// The file is looked at before the model, and what does not go together is refused.
  @Test func refused() throws {
    try withTemporaryFolder { folder in
      let (items, table) = try write(1, in: folder)
      func fail(_ words: [String], _ status: Int32, _ naming: String) throws {
        let run = try vl2.run(["eval", "--model", folder + "/none.vl2q"] + words)
        #expect(
          run.status == status && run.output.isEmpty && run.errors.contains(naming), "\(words): \(run.errors)"
        )
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
      }
      try fail(["--tsv", table], 64, "--benchmark")
      try fail(["--tsv", table, "--benchmark", "MMBench"], 64, "ChartQA")
      try fail(["--tsv", table, "--benchmark", "plain", "--items", items], 64, "--items")
      try fail(["--items", items, "--benchmark", "plain"], 64, "--tsv")
      try fail(["--items", items, "--resume"], 64, "--tsv")
      try fail(["--tsv", table, "--benchmark", "plain", "--resume"], 64, "--answers")
      try fail(
        ["--tsv", table, "--benchmark", "plain", "--answers", folder + "/./pocket.tsv"], 64, "reads it")
      try fail(["--tsv", table, "--benchmark", "AI2D"], 65, "pocket.tsv, line 1: there is no column \"A\"")
      try fail(["--tsv", folder + "/ChartQA.tsv"], 66, "ChartQA.tsv")
      try fail(["--tsv", table, "--benchmark", "plain"], 66, "none.vl2q")
    }
  }
}

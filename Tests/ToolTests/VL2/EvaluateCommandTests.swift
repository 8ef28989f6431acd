import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// `vl2 eval` as a user meets it.
@Suite struct EvaluateCommandTests {
  private let vl2 = Tool("vl2")
  private let questions = [
    ("naming", ["small.png"], "What is it?"), ("naming", ["wide.jpg"], "What is it?"),
    ("text", [], "Count to 3."),
  ]

  /// Items that expect what a model gives, their pictures beside them.
  private func write(_ answers: [String], in folder: String) throws -> String {
    for name in ["small.png", "wide.jpg"] where !FileManager.default.fileExists(atPath: folder + "/" + name) {
      try FileManager.default.copyItem(
        atPath: Fixtures.path("golden/images/" + name), toPath: folder + "/" + name)
    }
    let lines = try zip(questions, answers).map { question, answer in
      let fields: [String: Any] = [
        "task": question.0, "images": question.1, "question": question.2, "answer": ["no", answer],
      ]
      return try jsonText(fields)
    }
    let path = folder + "/items.jsonl"
    try TestSupport.write((lines.joined(separator: "\n") + "\n").utf8, to: path)
    return path
  }

  private func answers(maxTokens: Int) throws -> [String] {
    let model = try PackedModels.open("nano-mha", .bf16)
    return try questions.map { _, images, question in
      let pictures = try images.map { try Picture(contentsOf: Fixtures.path("golden/images/" + $0)) }
      return try model.answer(Question(question, pictures: pictures, maxTokens: maxTokens)).text
    }
  }

  @Test func accuracy() throws {
    let model = try PackedModels.path("nano-mha", .bf16)
    let right = try answers(maxTokens: 7)
    try withTemporaryFolder { folder in
      let items = try write(right, in: folder)
      let words = ["eval", "--model", model, "--items", items, "--max-tokens", "7"]
      let run = try vl2.run(words + ["--json", "--answers", folder + "/answers.jsonl"])
      #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
      let report = try jsonObject(run.output)
      let overall = try #require(report["overall"] as? [String: Any])
      #expect(overall["accuracy"] as? Double == 1 && overall["items"] as? Int == 3)
      #expect(overall["right"] as? Int == 3 && overall["seconds"] as? Double ?? 0 > 0)
      let tasks = try #require(report["tasks"] as? [String: [String: Any]])
      #expect(tasks.keys.sorted() == ["naming", "text"])
      #expect(tasks["naming"]?["items"] as? Int == 2 && tasks["naming"]?["accuracy"] as? Double == 1)

      let written = try String(contentsOfFile: folder + "/answers.jsonl", encoding: .utf8)
      let lines = try written.split(separator: "\n").map { try jsonObject(String($0)) }
      #expect(lines.compactMap { $0["answer"] as? String } == right)
      #expect(lines.compactMap { $0["line"] as? Int } == [1, 2, 3])
      #expect(lines.allSatisfy { $0["right"] as? Bool == true })

      let table = try vl2.run(words + ["--limit", "2"])
      let rows = table.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
      #expect(
        rows == [
          ["task", "items", "right", "accuracy"], ["naming", "2", "2", "100.0", "%"],
          ["overall", "2", "2", "100.0", "%"],
        ])

      let wrong = try write(right.map { $0 + " and more" }, in: folder)
      let failed = try vl2.run(["eval", "--model", model, "--items", wrong, "--max-tokens", "7", "--json"])
      let score = try #require(try jsonObject(failed.output)["overall"] as? [String: Any])
      #expect(failed.status == 0 && score["accuracy"] as? Double == 0 && score["items"] as? Int == 3)
    }
  }

  /// Items are read before the model, so that an hour's work does not end at a bad line.
  @Test func badInput() throws {
    try withTemporaryFolder { folder in
      func expectFailure(_ lines: [String], status: Int32, naming parts: [String]) throws {
        let items = folder + "/items.jsonl"
        try TestSupport.write(lines.joined(separator: "\n").utf8, to: items)
        let run = try vl2.run(["eval", "--model", folder + "/none.vl2q", "--items", items])
        #expect(run.status == status && run.output.isEmpty, "\(run.errors)")
        for part in parts { #expect(run.errors.contains(part), "\(run.errors)") }
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
      }
      let good = #"{"task": "t", "question": "?", "answer": "a"}"#
      let missing = #"{"task": "t", "images": ["none.png"], "question": "?", "answer": "a"}"#
      try expectFailure([good, "{"], status: 65, naming: ["items.jsonl, line 2: "])
      try expectFailure(["", ""], status: 65, naming: ["items.jsonl: holds no items"])
      try expectFailure([good, missing], status: 66, naming: ["items.jsonl, line 2: ", "none.png"])
      try expectFailure([good], status: 66, naming: ["none.vl2q"])

      let items = folder + "/items.jsonl"
      let noFile = try vl2.run(["eval", "--model", "x", "--items", folder + "/nothing.jsonl"])
      #expect(noFile.status == 66 && noFile.errors.contains("nothing.jsonl"), "\(noFile.errors)")
      let noText = try vl2.run(["eval", "--model", "x", "--items", folder])
      #expect(noText.status == 66 && noText.errors.contains(folder), "\(noText.errors)")
      for words in [["--limit", "0"], ["--max-tokens", "0"], ["--answers", folder + "/./items.jsonl"]] {
        let run = try vl2.run(["eval", "--model", "x", "--items", items] + words)
        #expect(run.status == 64, "\(run.errors)")
      }
      let model = try PackedModels.path("nano-mha", .bf16)
      let unwritable = try vl2.run([
        "eval", "--model", model, "--items", items, "--answers", folder + "/none/answers.jsonl",
      ])
      #expect(unwritable.status == 74 && unwritable.errors.contains("answers.jsonl"), "\(unwritable.errors)")
      // A picture that turns out to be none is named with its line.
      let text = #"{"task": "t", "images": ["items.jsonl"], "question": "?", "answer": "a"}"#
      try TestSupport.write(text.utf8, to: items)
      let damaged = try vl2.run(["eval", "--model", model, "--items", items])
      #expect(damaged.status == 65 && damaged.errors.contains("items.jsonl, line 1: "), "\(damaged.errors)")
    }
  }
}

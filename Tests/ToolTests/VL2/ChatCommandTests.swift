import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 chat` with lines from a pipe.
@Suite struct ChatCommandTests {
  private let vl2 = Tool("vl2")

  private func chat(_ lines: [String], _ words: [String] = []) throws -> ToolRun {
    try vl2.run(
      ["chat", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "6"] + words,
      input: lines.joined(separator: "\n") + "\n")
  }

  @Test func answersLikeAsk() throws {
    let picture = Fixtures.path("golden/images/small.png")
    let asked = try vl2.run([
      "ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "6", picture, "What is it?",
    ])
    let run = try chat(["What is it?"], [picture])
    #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
    #expect(run.output.hasSuffix("\n" + asked.output), "\(run.output)")
    let typed = try chat(["/image '\(picture)'", "", "What is it?", "/quit", "not asked"])
    #expect(typed.output == run.output)
  }

  @Test func commands() throws {
    try withTemporaryFolder { folder in
      let run = try chat([
        "/stats", "Hello", "And?", "/stats", "/save \(folder)/talk.txt", "/nonsense", "/image /none.jpg",
        "/help",
        "/reset",
        "/save \(folder)/empty.txt", "/save",
      ])
      #expect(run.status == 0)
      #expect(run.output.contains("no answer yet") && run.output.contains("writing"))
      #expect(run.output.contains("more were read before"), "\(run.output)")
      #expect(run.output.contains("/image FILE") && run.output.contains("forgotten"))
      let errors = run.errors.split(separator: "\n")
      #expect(errors.count == 4, "\(run.errors)")
      #expect(errors[0].contains("/nonsense") && errors[1].contains("/none.jpg"))
      #expect(try String(contentsOfFile: folder + "/talk.txt", encoding: .utf8).hasPrefix("> Hello\n"))
      #expect(!FileManager.default.fileExists(atPath: folder + "/empty.txt"))
    }
  }

  /// What is taken back was never asked; what is asked again has the same conversation before it.
  @Test func undoAndRetry() throws {
    let picture = Fixtures.path("golden/images/small.png")
    func answers(_ run: ToolRun) -> [Substring] { run.output.split(separator: "\n") }
    let straight = try chat(["What is it?", "And?"], [picture])
    let taken = try chat(["What is it?", "Why?", "/undo", "And?"], [picture])
    #expect(taken.errors.isEmpty && taken.output.contains("forgotten: Why?"), "\(taken.errors)")
    #expect(answers(taken).last == answers(straight).last, "\(taken.output)")
    // The picture comes back with its question.
    let first = try chat(["Why?", "/undo", "What is it?", "And?"], [picture])
    #expect(first.output.contains("forgotten: Why?; with your next question: \(picture)"), "\(first.output)")
    #expect(answers(first).suffix(2) == answers(straight).suffix(2), "\(first.output)")
    // At random, and the next question follows on the second answer alone.
    let seeded = ["--temperature", "1.5", "--seed", "7", picture]
    try withTemporaryFolder { folder in
      let retried = try chat(["What is it?", "/retry", "And?", "/save \(folder)/talk.txt"], seeded)
      #expect(retried.errors.isEmpty, "\(retried.errors)")
      let (one, other) = (answers(retried)[1], answers(retried)[2])
      #expect(one != other, "\(retried.output)")
      let saved = try String(contentsOfFile: folder + "/talk.txt", encoding: .utf8)
      #expect(saved.hasPrefix("[\(picture)]\n> What is it?\n\(other)\n\n> And?\n"), "\(saved)")
    }
    // Without a temperature the likeliest answer would come again.
    let greedy = try chat(["What is it?", "/retry"], [picture])
    #expect(greedy.output.contains("drawn at random, since the likeliest answer is always the same"))
    let early = try chat(["/retry", "/undo", "Hello", "/undo", "/undo", "/retry"])
    #expect(
      early.errors.split(separator: "\n").map { $0.dropFirst(5) } == [
        "/retry: nothing has been asked yet", "/undo: there is no answer to take back",
        "/undo: there is no answer to take back", "/retry: nothing has been asked yet",
      ], "\(early.errors)")
  }

  /// Each question's own pictures are limited, and said to be so once.
  @Test func tileLimits() throws {
    let picture = Fixtures.path("golden/images/wide.jpg")
    let other = Fixtures.path("golden/images/tall.png")
    let run = try chat(
      ["What is it?", "/stats", "And?", "/image \(other)", "This one?", "/stats"],
      ["--max-tiles", "3", picture])
    #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
    let lines = run.output.split(separator: "\n")
    #expect(
      lines.count { $0.hasPrefix("looking at ") && $0.contains(" tiles, so small print") } == 2,
      "\(run.output)")
    // How many tiles went through the tower.
    let looked = lines.filter { $0.hasPrefix("looking  ") }.compactMap {
      Int($0.split(separator: " ")[3])
    }
    #expect(looked.count == 2 && looked.allSatisfy { (2...3).contains($0) }, "\(run.output)")

    try withTemporaryFolder { cache in
      let late = try vl2.run(
        [
          "chat", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "2", "--deadline",
          "0.000001", picture,
        ],
        input: "What is it?\nAnd?\n", environment: ["XDG_CACHE_HOME": cache])
      #expect(
        late.output.contains("looking at 1 of ") && late.output.contains("later than asked for"),
        "\(late.output)")
      #expect(late.output.components(separatedBy: "until the answer begins").count == 2, "\(late.output)")
    }
    #expect(try chat([], ["--max-tiles", "0"]).status == 64)
  }

  /// What does not fit ends a question, not the conversation; a full context is told.
  @Test func longQuestions() throws {
    let words = String(repeating: "a ", count: 300)
    let run = try chat([words, words, words, words, String(repeating: words, count: 9), "Hello"])
    #expect(run.status == 0)
    #expect(run.output.contains("the oldest question goes"), "\(run.output)")
    #expect(run.errors.contains("context") && run.errors.split(separator: "\n").count == 1, "\(run.errors)")
  }
}

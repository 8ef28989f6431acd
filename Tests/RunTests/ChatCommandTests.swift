import Foundation
import TestSupport
import Testing
import VL2Run

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

  /// What does not fit ends a question, not the conversation; a full context is told.
  @Test func longQuestions() throws {
    let words = String(repeating: "a ", count: 300)
    let run = try chat([words, words, words, words, String(repeating: words, count: 9), "Hello"])
    #expect(run.status == 0)
    #expect(run.output.contains("the oldest question goes"), "\(run.output)")
    #expect(run.errors.contains("context") && run.errors.split(separator: "\n").count == 1, "\(run.errors)")
  }
}

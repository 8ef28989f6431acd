import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// Options that say how an answer is written, as `vl2 ask` and `vl2 chat` have them.
@Suite struct AnswerOptionsTests {
  private let vl2 = Tool("vl2")

  private func words(_ command: String, _ more: [String]) throws -> [String] {
    [command, "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "8"] + more
  }

  /// What is printed is the whole answer, with its beginning.
  @Test func beginnings() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let question = Question([.user("What is it?"), .assistant("{")], maxTokens: 8)
    let first = try model.answer(question)
    let answer = "{" + first.text
    for begin in ["{", "  {\n"] {
      let run = try vl2.run(words("ask", ["--begin", begin, "What is it?"]))
      #expect(run.status == 0 && run.errors.isEmpty && run.output == answer + "\n", "\(run)")
    }
    let json = try vl2.run(words("ask", ["--begin", "{", "--json", "What is it?"]))
    #expect(try jsonObject(json.output)["answer"] as? String == answer)
    // A beginning that could be an option is none.
    let dash = try vl2.run(words("ask", ["--begin", "- It is", "What is it?"]))
    #expect(dash.output.hasPrefix("- It is"), "\(dash)")

    try withTemporaryFolder { folder in
      let chat = try vl2.run(
        words("chat", ["--begin", "{"]), input: "What is it?\nAnd?\n/save \(folder)/talk.txt\n")
      #expect(chat.status == 0 && chat.output.hasPrefix(answer + "\n"), "\(chat)")
      // What was said is read again as it was written, token by token: its text alone could be read as others.
      var said = Turn.assistant(answer)
      said.tokens = model.tokenizer.encode("{") + first.tokens
      let next = Question(question.turns.dropLast() + [said, .user("And?"), .assistant("{")], maxTokens: 8)
      let second = "{" + (try model.answer(next).text)
      let saved = String(decoding: try bytes(of: folder + "/talk.txt"), as: UTF8.self)
      #expect(saved == "> What is it?\n\(answer)\n\n> And?\n\(second)\n\n")
    }
  }

  @Test func beginningsThatCannotBe() throws {
    try withTemporaryFolder { folder in
      try write("{}".utf8, to: folder + "/any.json")
      expectFailure(
        try vl2.run(words("ask", ["--begin", "{", "--schema", folder + "/any.json", "What?"])), status: 64,
        naming: "--begin does not go with --schema")
    }
    expectFailure(
      try vl2.run(words("ask", ["--begin", "a", "--choices", "a,b", "What?"])), status: 64,
      naming: "--begin does not go with --choices")
    for command in ["ask", "chat"] {
      expectFailure(
        try vl2.run(words(command, ["--begin", " \n", "What?"])), status: 64,
        naming: "--begin: the text is empty")
    }
  }

  /// Where an answer has less room than it may have, that is said at once.
  @Test func room() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let question = String(repeating: "a 1 ", count: 200)
    let tokens = try PackedModels.open("nano-mha", .q4).answer(Question(question, maxTokens: 1)).counts
      .promptTokens
    let room = 1024 - tokens + 1
    func run(_ maxTokens: Int) throws -> ToolRun {
      try vl2.run(["ask", "--model", model, "--max-tokens", "\(maxTokens)", question])
    }
    let short = try run(room + 1)
    #expect(
      short.status == 0
        && short.errors.hasPrefix("vl2: room for an answer of \(room) tokens, not \(room + 1): "), "\(short)")
    #expect(try !run(room).errors.contains("room for"))
    let chat = try vl2.run(
      ["chat", "--model", model, "--context", "64", "--max-tokens", "60"], input: "What is it?\n")
    #expect(chat.output.contains("room for an answer of"), "\(chat)")
  }

  @Test func helpNamesThePublishersValues() throws {
    let help = try vl2.run(["ask", "--help"]).output.split(whereSeparator: \.isWhitespace).joined(
      separator: " ")
    for words in [
      "0.4: drawn at random, as the model's publisher", "publisher takes 0.9", "publisher takes 1.1",
    ] {
      #expect(help.contains(words), "\(words)")
    }
  }

  @Test func contexts() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    func run(_ context: String) throws -> ToolRun {
      try vl2.run(["ask", "--model", model, "--context", context, "--max-tokens", "2", "What is it?"])
    }
    let long = try run("2048")
    #expect(long.status == 0 && long.errors.contains("made for 1024") && !long.output.isEmpty, "\(long)")
    #expect(try run("1024").errors.isEmpty)
    expectFailure(try run("2049"), status: 64, naming: "64 to 2048")
  }

  /// It is said that their number counts, and how many would do.
  @Test func tooManyPictures() throws {
    let picture = Fixtures.path("golden/images/small.png")
    let run = try vl2.run(words("ask", [String](repeating: picture, count: 60) + ["What has changed?"]))
    expectFailure(run, status: 65, naming: "60 pictures")
    #expect(run.errors.contains("their number counts"))
  }
}

import TestModels
import TestSupport
import Testing

/// What is text, what is an option, and what is a mistake.
@Suite struct CommandWordsTests {
  private func ask(_ words: [String], input: String = "") throws -> ToolRun {
    let model = try PackedModels.path("nano-mha", .q4)
    return try Tool("vl2").run(["ask", "--model", model, "--max-tokens", "5"] + words, input: input)
  }

  /// A question that begins with a dash is answered as it is anywhere else, wherever options stand.
  @Test func textIsNoOption() throws {
    let picture = Fixtures.path("golden/images/small.png")
    for question in ["- What colour is it?", "-h is what?", "--help me with this", "--json or not, - what?"] {
      let expected = try ask([picture, "-"], input: question)
      #expect(expected.status == 0, "\(expected.errors)")
      for words in [
        [picture, question], [picture, "--", question], ["--", picture, question],
        [picture, question, "--threads", "1"], ["--threads", "1", picture, question, "--stats"],
      ] {
        let run = try ask(words)
        #expect(run.status == 0 && run.output == expected.output, "\(words): \(run.errors)")
      }
    }
    // Behind -- also a word.
    #expect(try ask([picture, "--", "-h"]).output == ask([picture, "-"], input: "-h").output)
  }

  @Test func valuesAreNoOptions() throws {
    let plain = try ask(["Which?"]).output
    for words in [
      ["--system", "-h", "Which?"], ["--system", "--help", "Which?"], ["--system=--help", "Which?"],
      ["--system", "- Be brief.", "Which?"], ["--system=- Be brief. --help", "Which?"],
    ] {
      let run = try ask(words)
      #expect(run.status == 0 && !run.output.contains("OPTIONS"), "\(words): \(run.errors)")
      #expect(run.output != plain, "\(words)")
    }
    #expect(
      try ask(["--system", "- Be brief.", "Which?"]).output
        == ask(["--system=- Be brief.", "Which?"]).output)
    // A file's name too; this one is refused because of its folder.
    expectFailure(
      try ask(["--draw", "-x y/z.png", Fixtures.path("golden/images/small.png"), "Which?"]), status: 74,
      naming: "-x y/z.png: cannot be written: no such folder")
    expectFailure(try ask(["- my photo.jpg", "Which?"]), status: 66, naming: "- my photo.jpg: no such file")
  }

  /// Who makes a mistake learns which one; help is for who asks for it.
  @Test func helpIsNoAnswerToMistakes() throws {
    for (words, what) in [
      (
        ["ask", "-What?"],
        "Unknown option '-What?': text that begins with - goes after --; see 'vl2 ask --help'"
      ),
      (["ask", "-xh", "What?"], "Unknown option '-xh'"), (["ask", "-x", "What?"], "Unknown option '-x'"),
      (["ask", "--colour", "- red one", "x"], "Unknown option '--colour'"),
      (["-What?"], "Unknown option '-What?'"), (["- What is it?"], "'- What is it?' is no command"),
      (["help", "nonsense"], "'nonsense' is no command; see 'vl2 --help'"),
      (["chat", "-nh"], "Unknown option '-nh'"), (["bench", "--runs", "-h x"], "--runs"),
    ] {
      expectFailure(try Tool("vl2").run(words), status: 64, naming: what, words)
    }
    expectFailure(
      try Tool("vl2-convert").run(["pack", "-oh", "x"]), status: 64, naming: "Unknown option '-oh'")
    for words in [
      ["ask", "-h"], ["ask", "x", "--help"], ["help", "ask"], ["-h"], ["help"], ["help", "help"],
    ] {
      let run = try Tool("vl2").run(words)
      #expect(run.status == 0 && run.output.contains("USAGE"), "\(words)")
    }
    for command in ["ask", "chat"] {
      #expect(try Tool("vl2").run([command, "--help"]).output.contains("Behind --"), "\(command)")
    }
  }

  /// Of two values none is lost silently: an option is a list, or it is given once.
  @Test(arguments: ["vl2", "vl2-convert"]) func optionsGivenTwice(_ program: String) throws {
    var lists: [String: Set<String>] = [:]
    for option in try OptionLists(program).options where option.takesValue {
      if option.isList {
        lists[option.name, default: []].insert(option.command)
        continue
      }
      for words in [
        ["--\(option.name)", "1", "--\(option.name)", "2"], ["--\(option.name)=1", "--\(option.name)=1"],
      ] {
        expectFailure(
          try Tool(program).run([option.command] + words), status: 64,
          naming: "--\(option.name) is given twice: give it once; see '\(program) \(option.command) --help'",
          words)
      }
    }
    guard program == "vl2" else {
      #expect(lists.isEmpty)
      expectFailure(
        try Tool(program).run(["pack", "x", "-o", "y", "--output", "z"]), status: 64, naming: "is given twice"
      )
      return
    }
    #expect(
      Set(lists.keys) == [
        "add", "memory", "slots", "alias", "host", "allow", "allow-host", "ground", "choice",
      ])
    // Budgets are a list where they are measured.
    let model = try PackedModels.path("nano-mha", .q4)
    for words in [["ask", "x"], ["chat"], ["serve", "--demo", "--port", "0"]] {
      #expect(lists["memory"]?.contains(words[0]) == true)
      let run = try Tool("vl2").run(words + ["--model", model, "--memory", "1G", "--memory", "2G"])
      expectFailure(run, status: 64, naming: "--memory is given twice", words)
    }
  }
}

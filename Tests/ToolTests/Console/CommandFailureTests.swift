import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base

/// What goes wrong before or beside the work: one line that says what, and the right exit status.
@Suite struct CommandFailureTests {
  private func expectOneLine(
    _ program: String, _ words: [String], _ status: Int32, _ what: String, input: String = ""
  ) throws {
    let run = try Tool(program).run(words, input: input, environment: ["VL2_MODEL": ""])
    expectFailure(run, status: status, naming: what, words)
  }

  @Test func usage() throws {
    for (words, what) in [
      (["nonsense"], "see 'vl2 --help'"), (["ask"], "No question given"),
      (["ask", "Hello"], "No model given"),
      (["ask", "--colour", "red", "Hello"], "Unknown option '--colour'"),
      (["ask", "--colour", "red", "Hello"], "see 'vl2 ask --help'"),
      (["ask", "--max-tokens", "many", "Hello"], "'many' is invalid for '--max-tokens <n>'"),
      (["ask", "--max-tokens", "99999999999999999999", "Hello"], "'--max-tokens <n>'"),
      (["ask", "--max-tokens", "-1", "Hello"], "--max-tokens -1: give at least 1"),
      (["ask", "--seed", "-1", "Hello"], "'-1' is invalid for '--seed <n>'"),
      (["ask", "--temperature", "nan", "Hello"], "--temperature nan: give a number from 0 to 100"),
      (["ask", "--deadline", "inf", "Hello"], "--deadline inf: give seconds over 0"),
      (["ask", "--max-tiles", "-3", "Hello"], "--max-tiles -3: give a number from 1, or auto"),
      (
        ["ask", "--memory", "1X", "Hello"],
        "'1X' is invalid for '--memory <size>': give a size, for example 900M or 2G, or auto; see"
      ),
      (["ask", "--ground", "the dog"], "give a picture"),
      (["chat", "--threads", "0"], "--threads 0: give a number"), (["trace"], "'--cases <cases.json>'"),
      (["eval"], "see 'vl2 eval --help'"), (["bench", "--runs", "0"], "--runs 0"),
    ] {
      try expectOneLine("vl2", words, 64, what)
    }
    for (words, what) in [
      (["pack"], "'<checkpoint>'"), (["pack", "/none"], "see 'vl2-convert pack --help'"),
      (["pack", "/none", "-o", "x", "--weights", "q5"], "'q4', 'int8' or 'bf16'"),
      (["inspect"], "No packed file"),
      (["synthesize", "huge", "-o", "x"], "'huge' is invalid"), (["diff", "a"], "'<b>'"),
    ] {
      try expectOneLine("vl2-convert", words, 64, what)
    }
  }

  /// More threads than can run would keep the machine from all else.
  @Test func tooManyThreads() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let processors = Processors.system.count
    let words = ["ask", "--model", model, "--max-tokens", "1", "--threads"]
    let run = try Tool("vl2").run(words + ["100000", "Hello"])
    #expect(run.status == 0)
    #expect(
      run.errors.hasPrefix(
        "vl2: --threads 100000: this program may use \(processors) processors; \(2 * processors) threads are used\n"
      ))
    let usual = try Tool("vl2").run(words + ["\(2 * processors)", "Hello"])
    #expect(usual.output == run.output)
    #expect(!usual.errors.contains("threads"))
  }

  @Test func otherInput() throws {
    for words in [
      ["ask", "--model", "/none", "Hello"], ["doctor", "--model", "/none"], ["chat", "--model", "/none"],
    ] {
      try expectOneLine("vl2", words, 66, "/none: no such file; give the")
    }
    try expectOneLine("vl2", ["ask", "--model", Fixtures.folder, "Hello"], 65, "not a packed model")
    let model = ["ask", "--model", try PackedModels.path("nano-mha", .q4)]
    try expectOneLine("vl2", model + ["-"], 64, "The question is empty", input: " \n")
    try expectOneLine(
      "vl2", model + ["-"], 65, "over 1 MiB", input: String(repeating: "?", count: 1 << 20 + 1))
    try expectOneLine("vl2", model + [model[2], "What is it?"], 65, "this is a packed model; give a JPEG")
    try expectOneLine(
      "vl2", model + ["--context", "9999", "What is it?"], 64,
      "a context of 9999 tokens: this model takes 64 to 2048; the longest is --context 2048")
    try expectOneLine("vl2", model + ["--context", "-5", "What is it?"], 64, "the shortest is --context 64")
    try expectOneLine(
      "vl2", model + ["--context", "64", String(repeating: "word ", count: 90)], 65, "context of 64")
  }

  /// Where a result cannot be written, that is found out before the work.
  @Test func outputFiles() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let cases = Fixtures.path("golden/cases.json")
    let commands: [[String]] = [
      [
        "ask", "--model", model, "--draw", "/none/x", Fixtures.path("golden/images/small.png"), "What is it?",
      ],
      ["bench", "--model", model, "--memory", "mapped", "--plot", "/none/x"],
      ["trace", "--model", model, "--cases", cases, "--routes", "/none/x"],
    ]
    for words in commands {
      try expectOneLine("vl2", words, 74, "/none/x: cannot be written: no such folder")
    }
    try expectOneLine(
      "vl2", ["trace", "--model", model, "--cases", cases, "-o", "/dev/null/x"], 74, "/dev/null/x")
    try expectOneLine(
      "vl2-convert", ["pack", Fixtures.checkpoint("nano-mha"), "-o", "/none/x"], 74,
      "/none/x: cannot be written: no such folder; give a path in one that exists")
  }

  @Test func helpVersionAndCompletions() throws {
    for words in [["--help"], ["ask", "--help"], ["help", "chat"], ["--version"], []] {
      let run = try Tool("vl2").run(words)
      #expect(run.status == 0 && run.errors.isEmpty && !run.output.isEmpty, "\(words): \(run.errors)")
    }
    // With completions that know no files, a shell completes none.
    for shell in ["bash", "zsh", "fish"] {
      let run = try Tool("vl2").run(["--generate-completion-script", shell])
      #expect(run.output.contains("vl2q"), "\(shell)")
    }
  }

  /// As on a full disk.
  @Test func outputThatCannotBeWritten() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    for (program, words) in [
      ("vl2", ["doctor"]), ("vl2", ["ask", "--model", model, "--max-tokens", "3", "Hello"]),
      ("vl2", ["ask", "--model", model, "--max-tokens", "3", "--json", "Hello"]),
      ("vl2-convert", ["inspect", model]), ("vl2-convert", ["verify", model]),
    ] {
      let errors = Pipe()
      let process = try Tool(program).start(
        words, output: try FileHandle(forWritingTo: URL(fileURLWithPath: "/dev/full")), errors: errors)
      let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 74, "\(words): \(text)")
      #expect(
        text == "\(program): standard output: no space left on device; write to a place that takes it\n")
    }
  }

  /// More tokens than any context has.
  @Test func anyNumberOfTokens() throws {
    let run = try Tool("vl2").run([
      "ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "\(Int.max)", "--json",
      "Hello",
    ])
    #expect(run.status == 0 && run.output.contains("\"ending\""), "\(run.errors)")
  }
}

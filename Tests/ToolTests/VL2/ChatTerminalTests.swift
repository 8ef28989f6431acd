import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 chat` with somebody who types.
@Suite struct ChatTerminalTests {
  private static let up = "\u{1B}[A"

  /// Types lines, each after the prompt, and leaves. Returns what was shown.
  private func chat(_ lines: [String], state: String, _ words: [String] = []) throws -> String {
    let terminal = try PseudoTerminal()
    let process = try Tool("vl2").start(
      ["chat"]
        + (words.contains("--model")
          ? [] : ["--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "2"]) + words,
      input: terminal.program, output: terminal.program, errors: terminal.program,
      environment: ["XDG_STATE_HOME": state, "TERM": "xterm", "NO_COLOR": "1"])
    for line in lines + ["/quit"] {
      let before = terminal.shown.count
      // The prompt of the editor: it takes the line over when it is ready to be typed on.
      let isReady = terminal.wait { terminal.shown.dropFirst(before).contains("\u{1B}[K> \r") }
      #expect(isReady, "\(terminal.shown)")
      terminal.type(line + "\r")
    }
    #expect(terminal.wait { !process.isRunning })
    #expect(process.terminationStatus == 0)
    return terminal.shown
  }

  /// Ctrl-C ends an answer; the talk goes on, and what was read is not read again.
  @Test func interruptedAnswers() throws {
    try withTemporaryFolder { state in
      let terminal = try PseudoTerminal()
      let process = try Tool("vl2").start(
        [
          "chat", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "900", "--exact",
          "--threads", "1", "--repetition-penalty", "1.3", Fixtures.path("golden/images/small.png"),
        ],
        input: terminal.program, output: terminal.program, errors: terminal.program,
        environment: ["XDG_STATE_HOME": state, "TERM": "xterm", "NO_COLOR": "1", "VL2_ISA": "portable"])
      defer { process.terminate() }
      func isReady(after place: Int) -> Bool {
        terminal.wait { terminal.shown.dropFirst(place).contains("\u{1B}[K> \r") }
      }
      try #require(isReady(after: 0))
      var place = terminal.shown.count
      // An answer that is over before it is stopped is as good a part of the talk.
      for round in 0..<5 where !terminal.shown.contains("[stopped]") {
        place = terminal.shown.count
        terminal.type("Question \(round)?\r")
        // After what is done before, the line is cleared, and then comes the answer.
        let isWriting = terminal.wait {
          let line = terminal.shown.components(separatedBy: "\u{1B}[K").last ?? ""
          return !line.isEmpty && !["> ", "looking", "reading"].contains(where: line.hasPrefix)
        }
        #expect(isWriting)
        kill(process.processIdentifier, SIGINT)
        try #require(isReady(after: place), "\(terminal.shown)")
      }
      #expect(terminal.shown.contains("[stopped]"), "\(terminal.shown)")
      place = terminal.shown.count
      terminal.type("And?\r")
      try #require(isReady(after: place))
      place = terminal.shown.count
      terminal.type("/stats\r")
      #expect(terminal.wait { terminal.shown.dropFirst(place).contains("more were read before") })
      #expect(terminal.shown.dropFirst(place).contains("0 tiles"), "\(terminal.shown)")
    }
  }

  /// However the program ends while a line is typed, the terminal is as it was.
  @Test(arguments: [SIGTERM, SIGHUP, SIGINT, SIGQUIT]) func signals(_ number: Int32) throws {
    try withTemporaryFolder { state in
      let terminal = try PseudoTerminal()
      let before = terminal.settings
      let process = try Tool("vl2").start(
        ["chat", "--model", try PackedModels.path("nano-mha", .q4)], input: terminal.program,
        output: terminal.program, errors: terminal.program,
        environment: ["XDG_STATE_HOME": state, "TERM": "xterm"])
      try #require(terminal.wait { terminal.shown.contains("> ") })
      #expect(terminal.settings != before)
      kill(process.processIdentifier, number)
      #expect(terminal.wait { !process.isRunning })
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number)
      #expect(terminal.settings == before)
    }
  }

  /// A terminal that obeys no escape sequences is shown none, and edits lines itself.
  @Test func dumbTerminals() throws {
    try withTemporaryFolder { state in
      let terminal = try PseudoTerminal()
      let before = terminal.settings
      let process = try Tool("vl2").start(
        [
          "chat", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "3",
          Fixtures.path("golden/images/small.png"),
        ],
        input: terminal.program, output: terminal.program, errors: terminal.program,
        environment: ["XDG_STATE_HOME": state, "TERM": "dumb"])
      for (count, line) in ["What is it?", "/stats", "/help", "/nonsense", "/quit"].enumerated() {
        try #require(
          terminal.wait { terminal.shown.components(separatedBy: "\r\n> ").count == count + 2 },
          "\(terminal.shown)")
        #expect(terminal.settings == before)
        terminal.type(line + "\n")
      }
      #expect(terminal.wait { !process.isRunning } && process.terminationStatus == 0)
      #expect(terminal.shown.contains("writing"))
      #expect(!terminal.shown.unicodeScalars.contains("\u{1B}"), "\(terminal.shown)")
      for words in [
        ["doctor"], ["ask", "--model", try PackedModels.path("nano-mha", .q4), "--stats", "Hello"],
      ] {
        let other = try PseudoTerminal()
        let process = try Tool("vl2").start(
          words, output: other.program, errors: other.program, environment: ["TERM": "dumb"])
        #expect(other.wait { !process.isRunning && other.shown.contains("\n") })
        #expect(!other.shown.unicodeScalars.contains("\u{1B}"), "\(other.shown)")
      }
      #expect(try history(state).hasPrefix("What is it?\n"))
    }
  }

  /// Places in words for who reads them.
  @Test func boxesInWords() throws {
    let picture = Fixtures.pocket + "/eval/ci/pictures/0000.jpg"
    let words = ["--model", try PackedModels.pocket(), picture]
    let line = /the green star: left \d+, top \d+, right \d+, bottom \d+/
    let terminal = try PseudoTerminal()
    let process = try Tool("vl2").start(
      ["ask", "--ground", "the green star", "--ground", "the purple star"] + words, output: terminal.program,
      errors: terminal.program, environment: ["TERM": "dumb"])
    #expect(terminal.wait { !process.isRunning && terminal.shown.contains("purple") })
    #expect(
      terminal.shown.contains(line) && terminal.shown.contains("the purple star: left "), "\(terminal.shown)")
    #expect(!terminal.shown.contains("<|"), "\(terminal.shown)")
    try withTemporaryFolder { state in
      let shown = try chat(["/ground the green star"], state: state, words + ["--max-tokens", "60"])
      #expect(shown.contains(line) && !shown.contains("<|"), "\(shown)")
    }
  }

  private func history(_ state: String) throws -> String {
    try String(contentsOfFile: state + "/vl2/history", encoding: .utf8)
  }

  @Test func linesAreKeptForLater() throws {
    try withTemporaryFolder { state in
      _ = try chat(["Who are you?"], state: state)
      #expect(try history(state) == "Who are you?\n/quit\n")
      #expect(try mode(state + "/vl2/history") == 0o600 && mode(state + "/vl2") == 0o700)
      let shown = try chat([Self.up + Self.up], state: state)
      #expect(shown.contains("Who are you?"), "\(shown)")
      #expect(try history(state) == "Who are you?\n/quit\nWho are you?\n/quit\n")
      // Neither recalled nor kept.
      let unkept = try chat([Self.up + "Hello"], state: state, ["--no-history"])
      #expect(!unkept.contains("Who are you?") && unkept.contains("Hello"), "\(unkept)")
      #expect(try history(state) == "Who are you?\n/quit\nWho are you?\n/quit\n")
    }
  }

  /// Whatever is in the file, the conversation begins.
  @Test func damagedHistories() throws {
    try withTemporaryFolder { state in
      let path = state + "/vl2/history"
      try FileManager.default.createDirectory(atPath: state + "/vl2", withIntermediateDirectories: true)
      let many = (0..<3000).map { "line \($0)" }.joined(separator: "\n")
      let bytes =
        Array(many.utf8) + Array("\nA good question\n\u{1B}[2Jbad\n".utf8) + [0xFF, 0xFE, 0x0A, 0x00, 0x0A]
        + Array(String(repeating: "x", count: 10_000).utf8) + [0x0A]
      try write(bytes, to: path)
      let shown = try chat([Self.up], state: state)
      #expect(shown.contains("A good question") && !shown.contains("bad"), "\(shown)")
      let lines = try history(state).split(separator: "\n")
      #expect(lines.count == 501 && lines.first == "line 2501" && lines.last == "/quit")
      #expect(try mode(path) == 0o600)
      // A folder in its place.
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      _ = try chat(["Hello"], state: state)
    }
  }
}

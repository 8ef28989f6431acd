import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Console

/// What both programs print, and how.
@Suite struct ConsoleTests {
  private struct Report: Encodable {
    struct Part: Encodable {
      var bytesPerSecond = 1
      var sha256 = "x"
    }
    var peakBytes = 1
    var errorPPM = 2
    var int8Operations = 3
    var someParts = [Part()]
    var byName = ["someName": Part(), "other_Name": Part()]
    var texts = ["a/b"]
  }

  /// Keys that are names of the data stay as they are.
  @Test func jsonKeys() throws {
    let text = try JSONOutput.text(Report())
    let part = #"{"bytes_per_second":1,"sha256":"x"}"#
    #expect(
      text == #"{"by_name":{"other_Name":\#(part),"someName":\#(part)},"error_ppm":2,"int8_operations":3,"#
        + #""peak_bytes":1,"some_parts":[\#(part)],"texts":["a/b"]}"# + "\n")
    let indented = try JSONOutput.text(Report(), .indented)
    #expect(indented.split(separator: "\n").count > 10)
    #expect(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary
        == JSONSerialization.jsonObject(with: Data(indented.utf8)) as? NSDictionary)
  }

  /// A terminal that shows JSON obeys nothing in it, and the text is the same when it is read.
  @Test func jsonWithControlCharacters() throws {
    let bad = "a\u{1B}[2J\u{9B}\u{7F}\n\u{2028}\u{202E}é猫\"\\"
    let text = try JSONOutput.text([bad], .indented)
    #expect(text.unicodeScalars.allSatisfy { !$0.breaksLine || $0 == "\n" }, "\(text)")
    #expect(try JSONDecoder().decode([String].self, from: Data(text.utf8)) == [bad])
    #expect(JSONOutput.escaped("\"é\"\n") == "\"é\"\n")
  }

  @Test func tables() {
    var table = TextTable(["name", "n", "note"], alignment: "lrl")
    table.append(["a", "12", "x"])
    table.append(["猫", "3"])
    table.append(["longest", "", ""])
    #expect(table.text == "name      n  note\na        12  x\n猫        3\nlongest\n")
    var bare = TextTable(alignment: "ll", gap: " | ")
    bare.append(["\u{1B}[2ma\u{1B}[0m", "b"])
    bare.append(["cc", "d"])
    #expect(bare.lines == ["\u{1B}[2ma\u{1B}[0m  | b", "cc | d"])
    #expect(TextTable(alignment: "l").lines.isEmpty)
  }

  @Test func widths() {
    #expect("".columns == 0 && "abc".columns == 3 && "猫x".columns == 3 && "🐈".columns == 2)
    #expect("\u{1B}[31mam\u{1B}[0mx".columns == 3)
  }

  /// Ctrl-C is noted while an answer is made, and ends the program again afterwards.
  @Test func interruptions() async throws {
    func handler() -> Int {
      var action = sigaction()
      sigaction(SIGINT, nil, &action)
      return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
    }
    // What was started in the background has Ctrl-C ignored, and `noted` leaves that.
    let inherited = signal(SIGINT, SIG_DFL)
    defer { signal(SIGINT, inherited) }
    let before = handler()
    let noted = await Interruption.noted {
      #expect(!Interruption.isRequested && handler() != before)
      kill(getpid(), SIGINT)
      // Another thread may get it.
      let end = ContinuousClock.now + .seconds(200)
      while !Interruption.isRequested, ContinuousClock.now < end { usleep(1000) }
      #expect(throws: Interruption.self) { try Interruption.check() }
      return Interruption.isRequested
    }
    #expect(noted && handler() == before)
    // The next one begins anew.
    let isNew = await Interruption.noted { !Interruption.isRequested }
    #expect(isNew)
  }

  /// An error stays one line, whatever it names.
  @Test func errorLines() throws {
    for (program, words) in [("vl2", ["doctor", "--model"]), ("vl2-convert", ["verify"])] {
      let run = try Tool(program).run(words + ["/no\u{1B}[2J\nne\u{9B}"])
      #expect(run.status == 66 && run.output.isEmpty, "\(run.errors)")
      #expect(run.errors.unicodeScalars.filter(\.breaksLine) == ["\n"], "\(run.errors)")
      #expect(run.errors.hasPrefix("\(program): /no [2J ne : "), "\(run.errors)")
    }
  }

  /// On a terminal nothing obeys what is printed; in a pipe it is what it is.
  @Test func choicesOnATerminal() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let words = ["ask", "--model", model, "--choices", "a\u{1B}[2Jb,c\u{1B}[2Jd", "What is it?"]
    #expect(try Tool("vl2").run(words).output.contains("\u{1B}[2J"))
    let terminal = try PseudoTerminal()
    let process = try Tool("vl2").start(
      words, input: terminal.program, output: terminal.program, errors: terminal.program,
      environment: ["TERM": "xterm", "NO_COLOR": "1"])
    #expect(terminal.wait { !process.isRunning && terminal.shown.contains("\t") })
    #expect(
      terminal.shown.contains("\u{FFFD}[2J") && !terminal.shown.contains("\u{1B}[2J"), "\(terminal.shown)")
  }
}

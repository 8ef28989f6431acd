import Foundation
import TestModels
import TestSupport
import Testing
import VL2Run

/// What `vl2 chat` writes, and what it does not replace.
@Suite struct ChatFilesTests {
  private func chat(_ lines: [String], _ words: [String] = [], model: String? = nil) throws -> ToolRun {
    let path = try model ?? PackedModels.path("nano-mha", .q4)
    return try Tool("vl2").run(
      ["chat", "--model", path] + (words.contains("--max-tokens") ? [] : ["--max-tokens", "4"]) + words,
      input: lines.map { $0 + "\n" }.joined())
  }

  private func withFiles(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try PackedModels.copy("nano-mha", to: folder + "/m.vl2q")
      try FileManager.default.copyItem(
        atPath: Fixtures.path("golden/images/small.png"), toPath: folder + "/p.png")
      try body(folder)
    }
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  /// Its own file it writes again, beside any other it takes a name that is free.
  @Test func otherNames() throws {
    try withFiles { folder in
      let talk = folder + "/talk.txt"
      try write("my notes".utf8, to: talk)
      let run = try chat([
        "Hello", "/save \(talk)", "And?", "/save \(folder)/talk-2.txt", "/save \(folder)/new.txt",
        "/save \(folder)/new.txt", "/save \(folder)/bare", "/save \(folder)/bare", "/save /dev/null",
      ])
      #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
      #expect(
        run.output.contains("\(folder)/talk-2.txt: saved, since \(talk) is there already"), "\(run.output)")
      #expect(try text(talk) == "my notes")
      #expect(try text(folder + "/talk-2.txt").contains("> And?\n"))
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(names == ["bare", "m.vl2q", "new.txt", "p.png", "talk-2.txt", "talk.txt"])
      // Another conversation's is any other.
      let next = try chat(["Bye", "/save \(folder)/new.txt"])
      #expect(next.output.contains("new-2.txt: saved"), "\(next.output)")
      #expect(try text(folder + "/new.txt").contains("> Hello\n"))
    }
  }

  @Test func inputsStay() throws {
    try withFiles { folder in
      let (model, picture) = (folder + "/m.vl2q", folder + "/p.png")
      let before = try [model, picture].map { try bytes(of: $0) }
      for (link, target) in [("l.txt", "m.vl2q"), ("l.png", "p.png")] {
        try FileManager.default.linkItem(atPath: folder + "/" + target, toPath: folder + "/" + link)
      }
      let run = try chat(
        [
          "What is it?", "/save \(picture)", "/save \(model)", "/save \(folder)/l.txt", "/draw \(model)",
          "/draw \(picture)", "/draw \(folder)/l.png", "/draw \(folder)/new.jpg", "/draw",
          "/save \(folder)/new.vl2q",
        ], [picture], model: model)
      let lines = run.errors.split(separator: "\n")
      #expect(run.status == 0 && lines.count == 9, "\(run.errors)")
      for (line, part) in zip(
        lines,
        [
          "p.png: cannot be written: this command reads it",
          "m.vl2q: cannot be written: this command reads it",
          "l.txt: cannot be written: this command reads it as \(model)",
          "m.vl2q: cannot be written: this command", "p.png: cannot be written: this command",
          "l.png: cannot be written: this command reads it as",
          "new.jpg: cannot be written: the result is a PNG picture, and .jpg is the ending of something else; give a name that ends in .png",
          "/draw: give a file name", "the result is a conversation, and .vl2q is",
        ])
      {
        #expect(line.contains(part), "\(line)")
      }
      #expect(try [model, picture].map { try bytes(of: $0) } == before)
    }
  }

  /// The file of what is typed is the conversation's input where that comes from a file.
  @Test func questionsStay() throws {
    try withFiles { folder in
      let questions = folder + "/questions.txt"
      let lines = "Hello\n/save \(questions)\n"
      try write(lines.utf8, to: questions)
      let input = try #require(FileHandle(forReadingAtPath: questions))
      let errors = Pipe()
      let process = try Tool("vl2").start(
        ["chat", "--model", folder + "/m.vl2q", "--max-tokens", "2"], input: input, errors: errors)
      let told = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(told.contains("this command reads it as /dev/stdin"), "\(told)")
      #expect(try text(questions) == lines)
    }
  }

  /// Boxes of the last answer, on the picture that they lie on.
  @Test func drawings() throws {
    try withFiles { folder in
      let picture = Fixtures.pocket + "/eval/ci/pictures/0000.jpg"
      let run = try chat(
        [
          "/ground the green star", "/draw \(folder)/none.png", "/image \(picture)", "/ground",
          "/ground the green star", "/draw \(folder)/a.png", "/draw \(folder)/a.png", "/draw \(folder)/p.png",
          "/save \(folder)/t.txt",
        ], ["--max-tokens", "60"], model: try PackedModels.pocket())
      #expect(run.status == 0, "\(run.errors)")
      let errors = run.errors.split(separator: "\n").dropFirst()
      #expect(errors.count == 3, "\(run.errors)")
      for (line, part) in zip(
        errors,
        [
          "/ground: there is no picture yet; add one with /image FILE",
          "none.png: there is no answer about a picture", "/ground: say after it what is to be found",
        ])
      {
        #expect(line.contains(part), "\(line)")
      }
      #expect(run.output.contains("<|ref|>the green star<|/ref|><|det|>[["), "\(run.output)")
      #expect(run.output.contains("a.png: 1 box drawn") && run.output.contains("p-2.png: 1 box drawn, since"))
      let drawn = try Picture(contentsOf: folder + "/a.png")
      #expect(try drawn != Picture(contentsOf: picture) && drawn == Picture(contentsOf: folder + "/p-2.png"))
      #expect(
        try Picture(contentsOf: folder + "/p.png")
          == Picture(contentsOf: Fixtures.path("golden/images/small.png")))
      #expect(try text(folder + "/t.txt").hasPrefix("[\(picture)]\n> /ground the green star\n<|ref|>"))
    }
  }
}

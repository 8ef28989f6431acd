import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 describe` as a program.
@Suite struct DescribeCommandTests {
  private let vl2 = Tool("vl2")
  /// What pocket was taught to answer, without the length before it.
  private let prompt = ["--prompt", "Describe the picture."]
  private let receipt = Fixtures.pocket + "/eval/ci/pictures/0004.jpg"
  private let table = Fixtures.pocket + "/eval/ci/pictures/0012.jpg"

  private func words() throws -> [String] { ["describe", "--model", try PackedModels.pocket()] }

  /// A folder with pictures, whose names come in this order.
  private func withPictures(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(atPath: folder + "/pictures", withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: receipt, toPath: folder + "/pictures/a.jpg")
      try FileManager.default.copyItem(atPath: table, toPath: folder + "/pictures/b.jpg")
      try body(folder)
    }
  }

  @Test func lines() throws {
    let one = try vl2.run(try words() + prompt + [receipt])
    #expect(one.status == 0 && one.output == "a receipt from a store with 2 items\n", "\(one)")
    try withPictures { folder in
      let pictures = folder + "/pictures"
      let run = try vl2.run(try words() + prompt + [pictures])
      #expect(
        run.output == """
          \(pictures)/a.jpg: a receipt from a store with 2 items
          \(pictures)/b.jpg: a table with 3 rows

          """, "\(run)")
      // A bad picture costs its own line.
      try write("no picture".utf8, to: pictures + "/aa.jpg")
      let bad = try vl2.run(try words() + prompt + [pictures])
      #expect(
        bad.status == 65 && bad.output == run.output && bad.errors.contains("aa.jpg: not a picture"), "\(bad)"
      )
    }
    let json = try vl2.run(
      try words() + prompt + ["--json", "--length", "20", "--language", "de", receipt, table])
    let objects = try json.output.split(separator: "\n").map { try jsonObject(String($0)) }
    #expect(objects.compactMap { $0["text"] as? String } == ["a receipt from a…", "a table with 3 rows"])
    #expect(objects.compactMap { $0["characters"] as? Int } == [17, 19])
    #expect(objects.compactMap { $0["shortened"] as? Bool } == [true, false])
    #expect(objects.compactMap { $0["picture"] as? String } == [receipt, table])
    #expect(objects.allSatisfy { $0["language"] as? String == "German" })
    for key in objects.flatMap({ jsonKeys($0) }) { #expect(isSnakeCase(key), "\(key)") }
  }

  /// What is asked says how long and in what language, and a limit holds whatever the model writes.
  @Test func lengths() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let small = Fixtures.path("golden/images/small.png")
    let asked = { (system: String) in
      try vl2.run([
        "ask", "--model", model, "--max-tokens", "57", "--system", system, small, "Describe the picture.",
      ])
      .output.filter { $0.isLetter || $0.isNumber }
    }
    for (words, limit, system) in [
      (["--length", "20"], 20, "Answer with at most 20 characters."),
      (["--length", "21", "--language", "klingon"], 21, "Answer in klingon, with at most 21 characters."),
      (["--length", "22", "--language", "GERMAN"], 22, "Answer in German, with at most 22 characters."),
      (["--length", "23", "--language", "zh"], 23, "Answer in Chinese, with at most 23 characters."),
    ] {
      let run = try vl2.run(["describe", "--model", model] + words + [small])
      #expect(run.status == 0 && run.output.count <= limit + 1 && run.output.hasSuffix("\n"), "\(run)")
      #expect(run.output.count { $0.isNewline } == 1)
      let begin = run.output.filter { $0.isLetter || $0.isNumber }
      #expect(try !begin.isEmpty && asked(system).hasPrefix(begin), "\(run)")
    }
  }

  /// A file beside a picture is made where there is none, and nothing that is there is touched.
  @Test func sidecars() throws {
    try withPictures { folder in
      let pictures = folder + "/pictures"
      func text(_ name: String) throws -> String {
        try String(contentsOfFile: pictures + "/" + name, encoding: .utf8)
      }
      try write("precious".utf8, to: pictures + "/a.jpg.txt")
      let first = try vl2.run(try words() + prompt + ["--sidecar", pictures])
      #expect(first.status == 0 && first.output == "\(pictures)/b.jpg: a table with 3 rows\n", "\(first)")
      #expect(
        first.errors.contains(
          "a.jpg.txt is there already, so \(pictures)/a.jpg is left out; --force writes it"))
      #expect(try text("a.jpg.txt") == "precious" && text("b.jpg.txt") == "a table with 3 rows\n")
      // Where all are there, no model is needed.
      let none = try vl2.run(["describe", "--model", "/none.vl2q", "--sidecar", pictures])
      #expect(none.status == 0 && none.output.isEmpty, "\(none)")
      let forced = try vl2.run(try words() + prompt + ["--sidecar", "--force", pictures])
      #expect(forced.status == 0, "\(forced)")
      #expect(try text("a.jpg.txt") == "a receipt from a store with 2 items\n")
      #expect(try Set(FileManager.default.contentsOfDirectory(atPath: pictures)).count == 4)
    }
    // Links that lead to what is read, or nowhere.
    try withPictures { folder in
      let pictures = folder + "/pictures"
      let files = FileManager.default
      try files.createSymbolicLink(atPath: pictures + "/a.jpg.txt", withDestinationPath: pictures + "/b.jpg")
      try files.createSymbolicLink(atPath: pictures + "/b.jpg.txt", withDestinationPath: folder + "/nowhere")
      let run = try vl2.run(["describe", "--model", "/none.vl2q", "--sidecar", pictures])
      #expect(run.status == 0 && run.errors.split(separator: "\n").count == 2, "\(run)")
      let before = try bytes(of: pictures + "/b.jpg")
      let forced = try vl2.run(
        try words() + ["--sidecar", "--force", pictures + "/a.jpg", pictures + "/b.jpg"])
      #expect(
        forced.status == 64 && forced.errors.contains("a.jpg.txt: cannot be written: this command reads it"))
      #expect(try bytes(of: pictures + "/b.jpg") == before)
    }
  }

  /// Programs that speak, in a folder of their own; each notes how it was called and what it was given.
  private func withPrograms(_ names: [String], _ line: String, _ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for name in names {
        let path = folder + "/" + name
        try write("#!/bin/sh\n\(line.replacing("FOLDER", with: folder))\n".utf8, to: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
      }
      try body(folder)
    }
  }

  /// Where programs are looked for: in this folder alone, but for what starts an emulator, which needs programs itself.
  private func path(_ folder: String) -> [String: String] {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return ["PATH": Tool.isEmulated ? folder + ":" + path : folder]
  }

  @Test func speaks() throws {
    let note = "read -r text; echo \"${0##*/} $* | $text\" >>FOLDER/said"
    func said(_ programs: [String], _ more: [String]) throws -> String {
      var said = ""
      try withPrograms(programs, note) { folder in
        let run = try vl2.run(try words() + prompt + ["--say"] + more, environment: path(folder))
        #expect(run.status == 0, "\(run)")
        said = try String(contentsOfFile: folder + "/said", encoding: .utf8)
      }
      return said
    }
    #expect(
      try said(["spd-say", "espeak-ng"], [receipt])
        == "spd-say --wait --language en -- a receipt from a store with 2 items | \n")
    if Tool.isEmulated { return }
    #expect(
      try said(["espeak-ng"], ["--language", "zh", receipt, table]) == """
        espeak-ng --stdin -v cmn | \(receipt).
        espeak-ng --stdin -v cmn | a receipt from a store with 2 items
        espeak-ng --stdin -v cmn | \(table).
        espeak-ng --stdin -v cmn | a table with 3 rows

        """)
    #expect(
      try said(["espeak-ng"], ["--language", "Klingon", table]) == "espeak-ng --stdin | a table with 3 rows\n"
    )
    try withPrograms([], "") { folder in
      expectFailure(
        try vl2.run(try words() + ["--say", receipt], environment: path(folder)), status: 69,
        naming:
          "neither spd-say nor espeak-ng is installed; install the Debian package speech-dispatcher or espeak-ng"
      )
    }
    // Where nobody answers spd-say, the other one speaks.
    let failing = "if [ ${0##*/} = spd-say ]; then exit 1; fi; \(note)"
    try withPrograms(["spd-say", "espeak-ng"], failing) { folder in
      let run = try vl2.run(try words() + prompt + ["--say", receipt, table], environment: path(folder))
      let said = try String(contentsOfFile: folder + "/said", encoding: .utf8)
      #expect(run.status == 0 && said.split(separator: "\n").count == 4, "\(said) \(run)")
    }
    try withPrograms(["espeak-ng"], "echo 'no sound card' >&2; exit 3") { folder in
      let run = try vl2.run(try words() + prompt + ["--say", receipt], environment: path(folder))
      #expect(run.status == 69 && run.output == "a receipt from a store with 2 items\n", "\(run)")
      #expect(
        run.errors.hasSuffix(
          "vl2: espeak-ng: ended with status 3: no sound card; run it by hand to see more\n"))
    }
  }

  /// A program that hangs ends with the command.
  @Test func interrupted() throws {
    try withPrograms(["spd-say"], "echo $$ >FOLDER/child; exec /bin/sleep 1000") { folder in
      let process = try vl2.start(try words() + prompt + ["--say", receipt], environment: path(folder))
      func child() -> Int32? {
        (try? String(contentsOfFile: folder + "/child", encoding: .utf8)).flatMap {
          Int32($0.trimmingCharacters(in: .newlines))
        }
      }
      TestPatience.wait(while: process.isRunning) { child() != nil }
      let number = try #require(child())
      kill(process.processIdentifier, SIGTERM)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGTERM)
      let state = (try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8))?.split(
        separator: ")"
      ).last
      #expect(state.map { $0.hasPrefix(" Z") } ?? true, "\(state ?? "")")
    }
  }

  @Test func refusals() throws {
    for (more, status, part) in [
      ([], 64, "No picture given"),
      (["--length", "19", receipt], 64, "--length 19: give a number from 20 to 4000"),
      (["--language", "", receipt], 64, "give a language's name"),
      (["--language", "xx", receipt], 64, "language"),
      (["--language", "a\nb", receipt], 64, "language"),
      (["--prompt", " ", receipt], 64, "--prompt: the text is empty"),
      (["--force", receipt], 64, "--force goes with --sidecar"),
      (["--sidecar", "-"], 64, "--sidecar: - has no place"),
      (["-", "-"], 64, "- stands for standard input"), (["/none.jpg"], 66, "/none.jpg: no such file"),
      (["/dev"], 66, "/dev: holds no pictures"), ([Fixtures.pocket + "/README.md"], 65, "README.md"),
    ] as [([String], Int32, String)] {
      let run = try vl2.run(try words() + more)
      #expect(run.status == status && run.output.isEmpty, "\(more): \(run)")
      #expect(run.errors.split(separator: "\n").last?.contains(part) == true, "\(more): \(run.errors)")
    }
  }
}

import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 calibrate`, and `vl2-convert pack --calibration` with what it writes.
@Suite struct CalibrateCommandTests {
  private let vl2 = Tool("vl2")
  private let convert = Tool("vl2-convert")

  private func withQuestions(_ body: (_ folder: String, _ words: [String]) throws -> Void) throws {
    try withQuestionFolder("What is it?\nWhere?\nWho?\n") { folder in
      try write(String(repeating: "the quick brown fox ", count: 20).utf8, to: folder + "/text.txt")
      try body(
        folder,
        [
          "calibrate", "--model", try PackedModels.path("nano-mha", .q4), "--images", folder + "/images",
          "--questions", folder + "/questions.txt", "--max-tokens", "4",
        ])
    }
  }

  @Test func fromPicturesToAPackedFile() throws {
    try withQuestions { folder, words in
      let (one, two) = (folder + "/1.safetensors", folder + "/2.safetensors")
      let run = try vl2.run(words + ["--text", folder + "/text.txt", "--threads", "1", "-o", one])
      #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
      #expect(run.output.hasPrefix("\(one): 3 pictures, 3 questions, 1 texts; "))
      #expect(try vl2.run(words + ["--text", folder + "/text.txt", "--threads", "2", "-o", two]).status == 0)
      #expect(try bytes(of: one) == bytes(of: two))
      // Its own it writes again.
      #expect(try vl2.run(words + ["--limit", "1", "-o", two]).status == 0)
      #expect(try bytes(of: one) != bytes(of: two))
      #expect(!FileManager.default.fileExists(atPath: one + ".part"))

      let model = folder + "/m.vl2q"
      let golden = Fixtures.checkpoint("nano-mha")
      let pack = try convert.run(["pack", golden, "-o", model, "--calibration", one])
      #expect(pack.status == 0 && pack.errors.isEmpty, "\(pack.errors)")
      let text = try convert.run(["inspect", model]).output
      #expect(text.contains("calibrated with 3 pictures, 3 questions, 1 texts"))
      let object = try jsonObject(try convert.run(["inspect", model, "--json"]).output)
      let origin = try #require(object["origin"] as? [String: Any])
      #expect((origin["calibration"] as? [String: Any])?["pictures"] as? Int == 3)
      #expect(jsonKeys(object["codes"] as Any).allSatisfy(isSnakeCase))
      #expect(jsonKeys(object["codes"] as Any).contains("weighted_error_ppm"))
      let diff = try convert.run(["diff", model, try PackedModels.path("nano-mha", .q4)])
      #expect(diff.status == 1 && diff.output.contains("statistics"))
      #expect(try vl2.run(["ask", "--model", model, "--max-tokens", "2", "Hello?"]).status == 0)
    }
  }

  @Test func runsAddUp() throws {
    try withQuestions { folder, words in
      let (first, both) = (folder + "/1.safetensors", folder + "/2.safetensors")
      #expect(try vl2.run(words + ["--limit", "1", "-o", first]).status == 0)
      let run = try vl2.run(words + ["--limit", "2", "--add", first, "-o", both])
      #expect(run.status == 0 && run.output.contains("3 pictures"), "\(run.errors)")
      let twice = try vl2.run(words + ["--limit", "1", "--add", first, "-o", folder + "/3.safetensors"])
      expectFailure(twice, status: 64, naming: "\(first): holds a run that is counted already")
      // What it adds is not replaced.
      let same = try vl2.run(words + ["--add", first, "-o", first])
      expectFailure(same, status: 64, naming: "this command reads it")
    }
  }

  /// Interrupted after some prompts, it goes on: the bytes are those of a run that was not interrupted.
  @Test func interruptedAndResumed() throws {
    try withQuestions { folder, words in
      try write((1...60).map { "What is number \($0)?\n" }.joined().utf8, to: folder + "/questions.txt")
      let (whole, parted) = (folder + "/whole.safetensors", folder + "/parted.safetensors")
      let begin = ContinuousClock.now
      #expect(try vl2.run(words + ["-o", whole]).status == 0)
      var pause = (ContinuousClock.now - begin) / .microseconds(1) * 0.7
      var wasKept = false
      // How fast it is changes with what else the machine does: who came too late waits less, who came too early more.
      for _ in 0..<50 where !wasKept {
        let process = try vl2.start(words + ["-o", parted])
        usleep(UInt32(pause))
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        wasKept = FileManager.default.fileExists(atPath: parted + ".part")
        pause *= process.terminationReason == .exit && process.terminationStatus == 0 ? 0.7 : 1.2
      }
      #expect(wasKept)
      let other = try vl2.run(Array(words.dropLast()) + ["3", "--resume", "-o", parted])
      expectFailure(other, status: 64, naming: "was begun with other pictures, questions, texts or options")
      let resumed = try vl2.run(words + ["--resume", "-o", parted])
      #expect(resumed.status == 0, "\(resumed.errors)")
      #expect(try bytes(of: parted) == bytes(of: whole))
      #expect(!FileManager.default.fileExists(atPath: parted + ".part"))
    }
  }

  @Test func liesAreRefusedBeforeWork() throws {
    try withQuestions { folder, words in
      let path = folder + "/s.safetensors"
      #expect(try vl2.run(words + ["--limit", "1", "-o", path]).status == 0)
      let golden = Fixtures.checkpoint("nano-mha")
      func pack(_ checkpoint: String = golden) throws -> ToolRun {
        let run = try convert.run(["pack", checkpoint, "-o", folder + "/m.vl2q", "--calibration", path])
        let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
          $0.hasPrefix("m.vl2q")
        }
        #expect(left.isEmpty)
        return run
      }
      expectFailure(
        try pack(Fixtures.checkpoint("nano-mla")), status: 65, naming: "statistics of another model")
      let whole = try bytes(of: path)
      try write(Array(whole.dropLast()), to: path)
      expectFailure(try pack(), status: 65, naming: path)
      var lie = whole
      lie.replaceSubrange(whole.count - 24..<whole.count - 16, with: [0, 0, 0, 0, 0, 0, 0xF8, 0x7F])
      try write(lie, to: path)
      expectFailure(try pack(), status: 65, naming: "language.lm_head.weight has nan in column")
      expectFailure(
        try vl2.run(words + ["--add", path, "-o", folder + "/t.safetensors"]), status: 65, naming: "has nan")
      try write("no statistics".utf8, to: path)
      expectFailure(try pack(), status: 65, naming: path)
      expectFailure(
        try convert.run(["pack", golden, "-o", folder + "/m.vl2q", "--calibration", folder + "/none"]),
        status: 66,
        naming: "none: no such file")
    }
  }

  @Test func wordsThatContradictOneAnother() throws {
    try withQuestions { folder, words in
      let output = ["-o", folder + "/s.safetensors"]
      expectFailure(
        try vl2.run(["calibrate", "--model", "m", "--images", folder] + output), status: 64,
        naming: "--images and --questions belong together")
      expectFailure(
        try vl2.run(["calibrate", "--model", "m"] + output), status: 64, naming: "Nothing to read")
      expectFailure(try vl2.run(words + ["--memory", "1G"] + output), status: 64, naming: "--memory")
      expectFailure(
        try vl2.run(Array(words.dropLast()) + ["0"] + output), status: 64, naming: "--max-tokens 0")
      try write("no text\n".utf8, to: folder + "/s.safetensors")
      expectFailure(try vl2.run(words + output), status: 64, naming: "is not statistics")
    }
  }
}

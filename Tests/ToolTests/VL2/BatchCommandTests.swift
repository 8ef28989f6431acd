import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 batch` as a program.
@Suite struct BatchCommandTests {
  private let vl2 = Tool("vl2")

  /// A line of a batch.
  private func line(
    _ id: String, _ text: String, _ pictures: [String] = [], _ more: [String: Any] = ["max_tokens": 4]
  ) throws -> String {
    let parts: [[String: Any]] =
      [["type": "text", "text": text]] + pictures.map { ["type": "image_url", "image_url": ["url": $0]] }
    let body: [String: Any] = ["messages": [["role": "user", "content": parts]]].merging(more) { $1 }
    return try jsonText(
      ["custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body] as [String: Any])
  }

  private func dataURL(_ path: String) throws -> String {
    "data:;base64," + Data(try bytes(of: path)).base64EncodedString()
  }

  /// Requests of all sorts, some of which have errors.
  private func mixed() throws -> String {
    let small = try dataURL(Fixtures.path("golden/images/small.png"))
    return try [
      line("first", "What?", [small]), "no JSON", "",
      line("warm", "What?", [], ["temperature": 1, "max_tokens": 9]),
      line("first", "Again?"), line("line\u{2028}end", "Who?", [small]), "  ", line("last", "Where?"),
    ].joined(separator: "\n")
  }

  private func words(_ more: [String]) throws -> [String] {
    ["batch", "--model", try PackedModels.path("nano-mha", .q4)] + more
  }

  private struct Answered {
    var object: [String: Any]
    var id: String? { object["custom_id"] as? String }
    var response: [String: Any] { object["response"] as? [String: Any] ?? [:] }
    var status: Int? { response["status_code"] as? Int }
    var body: [String: Any] { response["body"] as? [String: Any] ?? [:] }
    var text: String? {
      ((body["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any])?["content"] as? String
    }
    var message: String? { (body["error"] as? [String: Any])?["message"] as? String }
  }

  private func answers(_ path: String) throws -> [Answered] {
    let text = String(decoding: try bytes(of: path), as: UTF8.self)
    #expect(text.hasSuffix("\n") || text.isEmpty)
    return try text.split(separator: "\n").map { Answered(object: try jsonObject(String($0))) }
  }

  /// Pictures sent and named in all ways, with the answers that pocket gives to each alone.
  @Test func answers() throws {
    try withTemporaryFolder { folder in
      let pictures = Fixtures.pocket + "/eval/ci/pictures"
      try FileManager.default.createDirectory(atPath: folder + "/own", withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: pictures + "/0001.jpg", toPath: folder + "/own/a sign.jpg")
      let colour = "Tell me the colour of the circle."
      try write(
        [
          line("sent", colour, [dataURL(pictures + "/0005.jpg")]),
          line("file", "What does the sign say?", ["file://\(folder)/own/a%20sign.jpg"]),
          line("relative", "What does the sign say?", ["a sign.jpg"]),
          line("relative file", "What does the sign say?", ["file:a%20sign.jpg"]),
          line("absolute", "What does the sign say?", [folder + "/own/a sign.jpg"]),
        ].joined(separator: "\n").utf8, to: folder + "/in.jsonl")
      let run = try vl2.run([
        "batch", "--model", try PackedModels.pocket(), folder + "/in.jsonl", "-o", folder + "/out.jsonl",
        "--images",
        folder + "/own",
      ])
      #expect(run.status == 0 && run.output.isEmpty, "\(run)")
      #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
      let found = try answers(folder + "/out.jsonl")
      #expect(found.map(\.id) == ["sent", "file", "relative", "relative file", "absolute"])
      #expect(found.map(\.status) == [Int?](repeating: 200, count: 5))
      #expect(found.map(\.text) == ["yellow", "thanks", "thanks", "thanks", "thanks"])
      for answer in found {
        #expect(Set(answer.object.keys) == ["id", "custom_id", "response", "error"])
        #expect(Set(answer.response.keys) == ["status_code", "request_id", "body"])
        #expect(answer.body["object"] as? String == "chat.completion" && answer.body["created"] as? Int == 0)
        for key in jsonKeys(answer.object) { #expect(isSnakeCase(key), "\(key)") }
      }
      for key in ["id", "request_id"] {
        let names = found.map { ($0.object[key] ?? $0.response[key]) as? String }
        #expect(Set(names).count == 5 && !names.contains(nil))
      }
    }
  }

  /// Streams in and out, in parts, and again: the same bytes.
  @Test func sameBytes() throws {
    try withTemporaryFolder { folder in
      let (input, whole) = (folder + "/in.jsonl", folder + "/whole.jsonl")
      // Once: the members of its objects come in another order each time.
      let text = try mixed()
      try write(text.utf8, to: input)
      let run = try vl2.run(try words([input, "-o", whole]))
      #expect(run.status == 65, "\(run)")
      #expect(
        run.errors == "vl2: \(whole): 2 of 6 lines could not be answered, and say why\n", "\(run.errors)")
      let found = try answers(whole)
      #expect(found.map(\.id) == ["first", nil, "warm", "first", "line\u{2028}end", "last"])
      #expect(found.map(\.status) == [200, 400, 200, 400, 200, 200])
      #expect((found[1].body["error"] as? [String: Any])?["line"] as? Int == 2)
      #expect(found[3].message == "custom_id: line 1 has the same; give each line its own")
      let expected = String(decoding: try bytes(of: whole), as: UTF8.self)
      // Some programs end lines there.
      #expect(!expected.contains("\u{2028}"))

      let piped = try vl2.run(try words(["-", "-o", "-", "--threads", "1"]), input: text)
      #expect(piped.status == 65 && piped.output == expected, "\(piped.errors)")
      for parts in [2, 3, 9] {
        var joined = ""
        for part in 1...parts {
          let path = "\(folder)/\(parts)-\(part).jsonl"
          let run = try vl2.run(try words([input, "-o", path, "--shard", "\(part)/\(parts)"]))
          #expect([0, 65].contains(run.status), "\(run)")
          joined += String(decoding: try bytes(of: path), as: UTF8.self)
        }
        #expect(joined == expected, "\(parts)")
      }
    }
  }

  /// Whatever a run that was killed has left, the next one makes what one run makes.
  @Test func resumes() throws {
    try withTemporaryFolder { folder in
      let (input, whole, output) = (folder + "/in.jsonl", folder + "/whole.jsonl", folder + "/out.jsonl")
      try write(mixed().utf8, to: input)
      let resume = try words([input, "-o", output, "--resume"])
      // A file that is not there is begun.
      #expect(try vl2.run(resume).status == 65)
      try FileManager.default.moveItem(atPath: output, toPath: whole)
      let expected = try bytes(of: whole)
      let ends = expected.indices.filter { expected[$0] == 0x0A }
      let cuts = [0, 1, 10, 15, ends[0], ends[0] + 1, ends[0] + 2, ends[3] + 40, ends[5], ends[5] + 1]
      for cut in cuts {
        try write(expected.prefix(cut), to: output)
        let run = try vl2.run(resume)
        let isSame = try bytes(of: output) == expected
        #expect(run.status == 65 && isSame, "\(cut): \(run)")
      }
    }
  }

  /// What was begun with other requests, another model or other options is not gone on with, and stays.
  @Test func otherBatches() throws {
    try withTemporaryFolder { folder in
      let (input, output) = (folder + "/in.jsonl", folder + "/out.jsonl")
      let lines = try ["a", "b", "c"].map { try line($0, "What is \($0)?") }
      try write(lines.joined(separator: "\n").utf8, to: input)
      #expect(try vl2.run(try words([input, "-o", output])).status == 0)
      let before = try bytes(of: output)
      func refuse(_ lines: [String], _ more: [String], _ status: Int32, _ part: String) throws {
        try write((lines.joined(separator: "\n") + "\n").utf8, to: input)
        let run = try vl2.run(try words([input, "-o", output] + more))
        expectFailure(run, status: status, naming: part, more)
        #expect(try bytes(of: output) == before)
      }
      try refuse(lines, [], 64, "\(output): cannot be written: it holds answers already; give --resume")
      let no = "out.jsonl, line 2: is no answer to line 2 of the requests"
      try refuse([lines[0], lines[2], lines[1]], ["--resume"], 65, no)
      try refuse([lines[0], line("b", "Who is b?"), lines[2]], ["--resume"], 65, no)
      try refuse(
        ["", lines[0], line("other", "What is b?")], ["--resume"], 65, "line 2: is no answer to line 3")
      try refuse(Array(lines.prefix(2)), ["--resume"], 65, "line 3: there are no more than 2 requests")
      for more in [["--max-tiles", "1"], ["--alias", "other"], ["--exact"], ["--background", "black"]] {
        try refuse(lines, ["--resume"] + more, 65, "out.jsonl, line 1: is no answer")
      }
      // More requests at the end are answered.
      try write((lines + [line("d", "What is d?")]).joined(separator: "\n").utf8, to: input)
      #expect(try vl2.run(try words([input, "-o", output, "--resume"])).status == 0)
      let after = try bytes(of: output)
      #expect(after.starts(with: before) && after.count > before.count)
      // A line that somebody has changed.
      try write(Array("{}\n".utf8), to: output)
      let run = try vl2.run(try words([input, "-o", output, "--resume"]))
      expectFailure(run, status: 64, naming: "it is there, and is not a list of answers to a batch")
      try write(after.map { $0 == UInt8(ascii: ",") ? UInt8(ascii: ";") : $0 }, to: output)
      expectFailure(
        try vl2.run(try words([input, "-o", output, "--resume"])), status: 65, naming: "line 1: is no answer")
    }
  }

  /// Killed at random moments: what is there is always a beginning of what one run makes, and in the end all of it.
  @Test func killedAndResumed() throws {
    var random = SplitMix64(seed: 24)
    try withTemporaryFolder { folder in
      let (input, output) = (folder + "/in.jsonl", folder + "/out.jsonl")
      let small = try dataURL(Fixtures.path("golden/images/small.png"))
      let lines = try (0..<100).map {
        $0 % 17 == 3
          ? "broken \($0)" : try line("request \($0)", "What is \($0)?", $0 % 5 == 0 ? [small] : [])
      }
      try write(lines.joined(separator: "\n").utf8, to: input)
      let begin = ContinuousClock.now
      #expect(try vl2.run(try words([input, "-o", folder + "/whole.jsonl"])).status == 65)
      let whole = ContinuousClock.now - begin
      let expected = try bytes(of: folder + "/whole.jsonl")
      for _ in 0..<5 {
        let process = try vl2.start(try words([input, "-o", output, "--resume"]))
        usleep(UInt32.random(in: 0...UInt32(whole / .microseconds(1) / 3), using: &random))
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let isBeginning = expected.starts(with: (try? bytes(of: output)) ?? [])
        #expect(isBeginning)
      }
      #expect(try vl2.run(try words([input, "-o", output, "--resume"])).status == 65)
      let isSame = try bytes(of: output) == expected
      #expect(isSame)
      #expect(try answers(output).count == 100)
    }
  }

  /// A signal ends it with whole lines, also while it waits for a line; a full disk too.
  @Test func interrupted() throws {
    try withTemporaryFolder { folder in
      let (input, output) = (folder + "/in.jsonl", folder + "/out.jsonl")
      let lines = try (0..<12).map { try line("request \($0)", "What is \($0)?") }
      try write(lines.joined(separator: "\n").utf8, to: input)
      #expect(try vl2.run(try words([input, "-o", folder + "/whole.jsonl"])).status == 0)
      let expected = try bytes(of: folder + "/whole.jsonl")

      let (pipe, errors) = (Pipe(), Pipe())
      let process = try vl2.start(
        try words(["-", "-o", output]), input: pipe.fileHandleForReading, errors: errors)
      try pipe.fileHandleForWriting.write(
        contentsOf: Data((lines.prefix(2).joined(separator: "\n") + "\n" + lines[2].prefix(30)).utf8))
      func lineCount() -> Int { ((try? bytes(of: output)) ?? []).count { $0 == 0x0A } }
      TestPatience.wait(while: process.isRunning) { lineCount() >= 2 }
      // Meanwhile nobody else writes there.
      expectFailure(
        try vl2.run(try words([input, "-o", output, "--resume"])), status: 75,
        naming: "out.jsonl: another process writes it")
      kill(process.processIdentifier, SIGTERM)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGTERM)
      let told = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      #expect(told == "vl2: \(output) holds the answers to 2 lines: give --resume to go on\n")
      #expect(lineCount() == 2)
      let isBeginning = expected.starts(with: try bytes(of: output))
      #expect(isBeginning)

      let full = try vl2.run(try words([input, "-o", output, "--resume"]), largestFile: 3 << 10)
      #expect(full.status == 74 && full.errors.contains("give --resume to go on"), "\(full)")
      #expect(full.errors.contains("cannot be written: file too large; make room"), "\(full)")
      let left = try bytes(of: output)
      #expect(left.last == 0x0A && expected.starts(with: left) && (3..<12).contains(lineCount()))
      #expect(try vl2.run(try words([input, "-o", output, "--resume"])).status == 0)
      let isSame = try bytes(of: output) == expected
      #expect(isSame)
    }
  }

  /// Pictures that lie elsewhere or are none: each costs its own line.
  @Test func hostilePictures() throws {
    try withTemporaryFolder { folder in
      let files = FileManager.default
      let (own, input) = (folder + "/own", folder + "/in.jsonl")
      try write(["/own/text.jpg": "no picture", "/own/empty.jpg": "", "/own/sub/x": ""], below: folder)
      let small = Fixtures.path("golden/images/small.png")
      try files.copyItem(atPath: small, toPath: folder + "/secret.png")
      try files.createSymbolicLink(atPath: own + "/link.png", withDestinationPath: folder + "/secret.png")
      try files.createSymbolicLink(atPath: own + "/up", withDestinationPath: folder)
      #expect(mkfifo(own + "/pipe.jpg", 0o600) == 0)
      // A file that says it is a picture, and has no end.
      try write([0xFF, 0xD8, 0xFF], to: own + "/large.jpg")
      #expect(truncate(own + "/large.jpg", 300 << 20) == 0)
      let pictures = [
        ("../secret.png", "goes up"), (folder + "/secret.png", "it is outside"),
        ("file:///etc/passwd", "outside"),
        ("file://localhost/dev/zero", "outside"), ("/dev/zero", "outside"),
        ("link.png", "a link is in its path"),
        ("up/secret.png", "a link"), ("file:up%2Fsecret.png", "a link"),
        ("file:%2E%2E/secret.png", "goes up"),
        ("pipe.jpg", "no regular file"), ("sub", "no regular file"), ("text.jpg", "not a picture"),
        ("empty.jpg", "empty"), ("none.jpg", "no such file"), ("large.jpg", "over 256 MiB"),
        ("http://127.0.0.1/a.jpg", "not fetched"), ("file:%zz", "wrong %"), ("", "no data: URL"),
        (String(repeating: "x", count: 5000), "is no path"), ("a\nb.jpg", "no such file"),
      ]
      try write(
        (pictures.enumerated().map { try line("p\($0)", "What?", [$1.0]) }
          + [line("good", "What?", ["./sub/good.png"])]).joined(separator: "\n").utf8, to: input)
      try files.copyItem(atPath: small, toPath: own + "/sub/good.png")
      let run = try vl2.run(try words([input, "-o", folder + "/out.jsonl", "--images", own]))
      #expect(run.status == 65, "\(run)")
      let found = try answers(folder + "/out.jsonl")
      #expect(found.count == pictures.count + 1 && found.last?.status == 200)
      for ((url, part), answer) in zip(pictures, found) {
        #expect(answer.status == 400 && answer.message?.contains(part) == true, "\(url): \(answer.object)")
      }
      // Without a folder nothing is opened.
      try write(line("a", "What?", ["secret.png"]).utf8, to: input)
      #expect(try vl2.run(try words([input, "-o", folder + "/none.jsonl"])).status == 65)
      #expect(try answers(folder + "/none.jsonl").first?.message?.contains("is no data: URL") == true)
    }
  }

  /// Lines without end cost no more than their place.
  @Test func longLines() throws {
    try withTemporaryFolder { folder in
      var text = Array(try line("a", "What?").utf8) + [0x0A]
      text += [UInt8](repeating: UInt8(ascii: "x"), count: 34 << 20) + [0x0A]
      text += Array(try line("b", "What?").utf8)
      try write(text, to: folder + "/in.jsonl")
      let run = try vl2.run(try words([folder + "/in.jsonl", "-o", folder + "/out.jsonl"]))
      #expect(run.status == 65, "\(run)")
      let found = try answers(folder + "/out.jsonl")
      #expect(found.map(\.status) == [200, 413, 200] && found.map(\.id) == ["a", nil, "b"])
      #expect(found[1].message?.contains("the line is over 33 MiB") == true)
    }
  }

  @Test func refusals() throws {
    try withTemporaryFolder { folder in
      let input = folder + "/in.jsonl"
      try write(line("a", "What?").utf8, to: input)
      try write(
        ["/notes.txt": "precious", "/photo.jpg": "precious", "/other.jsonl": "{\"a\": 1}\n"], below: folder)
      for (more, status, part) in [
        ([], 64, "Missing expected argument"), ([input], 64, "-o"),
        ([folder + "/no.jsonl", "-o", "-"], 66, "no.jsonl"),
        ([folder, "-o", "-"], 66, "it is a folder"),
        ([input, "-o", input], 64, "this command reads it"),
        ([input, "-o", folder + "/notes.txt"], 64, "is not a list of answers to a batch"),
        ([input, "-o", folder + "/photo.jpg"], 64, ".jpg is the ending of something else"),
        ([input, "-o", folder + "/other.jsonl"], 64, "is not a list of answers to a batch"),
        ([input, "-o", folder + "/other.jsonl", "--resume"], 64, "is not a list of answers to a batch"),
        ([input, "-o", folder + "/none/out.jsonl"], 74, "no such folder"),
        ([input, "-o", "-", "--resume"], 64, "--resume needs a file"),
        ([input, "-o", "/dev/null", "--resume"], 64, "--resume needs a file"),
        ([input, "-o", "-", "--images", folder + "/none"], 66, "none: cannot be read: no such folder"),
        (["-", "-o", "-", "--shard", "1/2"], 64, "--shard needs a file"),
        ([input, "-o", "-", "--shard", "0/2"], 64, "--shard 0/2: give I/N"),
        ([input, "-o", "-", "--shard", "3/2"], 64, "--shard 3/2"),
        ([input, "-o", "-", "--shard", "2"], 64, "I/N"),
        ([input, "-o", "-", "--shard", "-1/-1"], 64, "I/N"),
        ([input, "-o", "-", "--max-tiles", "0"], 64, "--max-tiles"),
        ([input, "-o", "-", "--alias", ""], 64, "--alias"),
      ] as [([String], Int32, String)] {
        expectFailure(try vl2.run(try words(more)), status: status, naming: part, more)
      }
      for name in ["notes.txt", "photo.jpg"] {
        #expect(try String(contentsOfFile: folder + "/" + name, encoding: .utf8) == "precious")
      }
      expectFailure(
        try vl2.run(["batch", "--model", "/none.vl2q", input, "-o", "-"]), status: 66,
        naming: "/none.vl2q: no such file")
      // Nothing is left of what was refused, and an empty batch is none.
      try write([], to: input)
      let empty = try vl2.run(try words([input, "-o", folder + "/empty.jsonl"]))
      #expect(empty.status == 0 && empty.errors.isEmpty)
      #expect(try bytes(of: folder + "/empty.jsonl").isEmpty)
    }
  }
}

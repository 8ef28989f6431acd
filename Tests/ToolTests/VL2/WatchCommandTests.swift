import Foundation
import TestFrames
import TestModels
import TestSupport
import Testing
import VL2Run

/// `vl2 watch` as a program.
@Suite struct WatchCommandTests {
  private let vl2 = Tool("vl2")

  private func words() throws -> [String] { ["watch", "--model", try PackedModels.path("nano-mha", .q4)] }

  /// MJPEG of a room that changes once.
  private static let stream: [UInt8] = {
    let room = DrawnScene(width: 160, height: 120)
    var less = room
    less.shapes.removeLast(3)
    return (0..<5).flatMap { room.picture(seed: $0).jpeg() }
      + (5..<10).flatMap { less.picture(seed: $0).jpeg() }
  }()

  private func objects(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map { try jsonObject(String($0)) }
  }

  @Test func standardInput() throws {
    try withTemporaryFolder { folder in
      for (name, bytes) in [("in", Self.stream), ("out", []), ("err", [])] {
        try write(bytes, to: folder + "/" + name)
      }
      let process = try vl2.start(
        try words() + [
          "-", "--choice", "a cat", "--choice", "a dog", "--tell", "always", "--exec", "cat >>\(folder)/told",
          "What is it?",
        ],
        input: try FileHandle(forReadingFrom: URL(fileURLWithPath: folder + "/in")),
        output: try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/out")),
        errors: try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/err")))
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      #expect(try bytes(of: folder + "/err").isEmpty)
      let lines = try objects(String(decoding: try bytes(of: folder + "/out"), as: UTF8.self))
      #expect(
        lines.map { $0["reason"] as? String ?? $0["event"] as? String } == ["start", "change", "ended"])
      #expect(lines.last?["frames"] as? Int == 10 && lines.last?["dropped"] as? Int == 0)
      let answers = lines.compactMap { $0["answer"] as? String }
      #expect(
        try String(contentsOfFile: folder + "/told", encoding: .utf8) == answers.map { $0 + "\n" }.joined())
      let time = try #require(lines.first?["time"] as? String)
      #expect(time.hasPrefix("20") && time.hasSuffix("Z") && time.count == 24)
      // Keys that programs rely on.
      for line in lines {
        for key in jsonKeys(line) { #expect(isSnakeCase(key), "\(key)") }
      }
    }
  }

  /// A signal ends it within a second, and with it what it started.
  @Test(arguments: [SIGTERM, SIGINT]) func signals(signal: Int32) throws {
    try withTemporaryFolder { folder in
      try write(Self.stream, to: folder + "/stream")
      let camera =
        "command:echo $$ >\(folder)/child; sleep 1000 & echo $! >>\(folder)/child; while cat \(folder)/stream; do sleep 0.2; done"
      try write([], to: folder + "/out")
      let process = try vl2.start(
        try words() + [
          camera, "--every", "1s", "--exec", "echo $$ >\(folder)/action; sleep 1000", "What is it?",
        ],
        output: try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/out")))
      func numbers(_ name: String) -> [Int32] {
        (try? String(contentsOfFile: folder + "/" + name, encoding: .utf8))?.split(separator: "\n").compactMap
        { Int32($0) } ?? []
      }
      TestPatience.wait(while: process.isRunning) {
        numbers("child").count >= 2 && !numbers("action").isEmpty
      }
      let children = numbers("child") + numbers("action")
      #expect(children.count == 3)
      let begin = ContinuousClock.now
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      // A second, and what a machine at work may take longer.
      #expect(ContinuousClock.now - begin < .seconds(3))
      #expect(process.terminationStatus == 0)
      for child in children {
        // Its new parent may not have reaped it yet.
        let state = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8))?.split(
          separator: ")"
        ).last
        #expect(state.map { $0.hasPrefix(" Z") } ?? true, "\(child): \(state ?? "")")
      }
      let lines = try objects(String(decoding: try bytes(of: folder + "/out"), as: UTF8.self))
      #expect(lines.first?["reason"] as? String == "start" && lines.last?["event"] as? String == "ended")
    }
  }

  private func numbers(_ path: String) -> [Int32] {
    (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n").compactMap { Int32($0) }
      ?? []
  }

  /// Whether a process goes; one that its new parent has not reaped yet counts as gone.
  private func isGone(_ process: Int32) -> Bool {
    TestPatience.wait {
      let state = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8))?.split(
        separator: ")"
      ).last
      return state.map { $0.hasPrefix(" Z") } ?? true
    }
  }

  /// Starts it with a camera and an action that are at work when this returns.
  private func startAtWork(_ folder: String, camera: String, action: String) throws -> (Process, [Int32]) {
    for name in ["camera", "action"] { try? FileManager.default.removeItem(atPath: folder + "/" + name) }
    let process = try vl2.start(
      try words() + [
        "command:echo $$ >\(folder)/camera; \(camera); while cat \(folder)/stream; do sleep 0.2; done",
        "--every", "1s", "--exec", "echo $$ >\(folder)/action; \(action)", "What is it?",
      ])
    func children() -> [Int32] { numbers(folder + "/camera") + numbers(folder + "/action") }
    TestPatience.wait(while: process.isRunning) { children().count >= 2 }
    return (process, children())
  }

  /// Who signals twice wants it to end at once, also where what it started takes no hint.
  @Test func secondSignal() throws {
    try withTemporaryFolder { folder in
      try write(Self.stream, to: folder + "/stream")
      // The first signal is at work when the action has heard of it. On a slow machine the program may be through by then.
      for _ in 0..<5 {
        try? FileManager.default.removeItem(atPath: folder + "/heard")
        let deaf = "trap 'echo >\(folder)/heard' TERM"
        let (process, children) = try startAtWork(
          folder, camera: deaf, action: "\(deaf); while :; do sleep 0.05; done")
        #expect(children.count == 2)
        kill(process.processIdentifier, SIGTERM)
        TestPatience.wait(while: process.isRunning) {
          FileManager.default.fileExists(atPath: folder + "/heard")
        }
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        for child in children { #expect(isGone(child)) }
        if process.terminationStatus == 128 + SIGTERM { return }
        #expect(process.terminationStatus == 0)
      }
      Issue.record("no second signal came in time")
    }
  }

  /// Where it is killed, the system ends what it started.
  @Test func killed() throws {
    try withTemporaryFolder { folder in
      try write(Self.stream, to: folder + "/stream")
      let (process, children) = try startAtWork(folder, camera: ":", action: "exec sleep 1000")
      #expect(children.count == 2)
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      for child in children { #expect(isGone(child)) }
    }
  }

  /// A line on standard input asks, and nothing else where a configuration says so; the frame is kept.
  @Test func asksOnRequestAlone() throws {
    try withTemporaryFolder { folder in
      try write(Self.stream, to: folder + "/stream")
      let config = """
        camera: "command:while cat \(folder)/stream; do sleep 0.1; done"
        on_change: no
        questions: [{name: what, ask: What is it?, tell: always, max_tokens: 8}]
        """
      try write(config.utf8, to: folder + "/spoken.yaml")
      let (input, output) = (Pipe(), Pipe())
      let process = try vl2.start(
        try words() + [folder + "/spoken.yaml", "--keep-frames", folder + "/frames"],
        input: input.fileHandleForReading, output: output)
      for _ in 0..<2 {
        try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
        var bytes: [UInt8] = []
        while bytes.last != 10, let byte = try output.fileHandleForReading.read(upToCount: 1)?.first {
          bytes.append(byte)
        }
        #expect(try jsonObject(String(decoding: bytes, as: UTF8.self))["reason"] as? String == "asked")
      }
      kill(process.processIdentifier, SIGTERM)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      let rest = try objects(
        String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
      #expect(rest.last?["answers"] as? Int == 2)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/frames").count == 2)
    }
  }

  /// Where nobody reads its output any more it ends, and what it started ends first.
  @Test func nobodyReads() throws {
    try withTemporaryFolder { folder in
      try write(Self.stream, to: folder + "/stream")
      let camera = "command:echo $$ >\(folder)/child; while cat \(folder)/stream; do sleep 0.2; done"
      let output = Pipe()
      let process = try vl2.start(
        try words() + [camera, "--every", "100ms", "--tell", "always", "What is it?"], output: output)
      try output.fileHandleForReading.close()
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == 74)
      let child = try #require(
        Int32(try String(contentsOfFile: folder + "/child", encoding: .utf8).dropLast()))
      #expect(kill(child, 0) == -1)
    }
  }

  /// A folder in which a picture appears; a line on standard input asks.
  @Test func folders() throws {
    try withTemporaryFolder { folder in
      let pictures = folder + "/pictures"
      try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
      let room = DrawnScene(width: 160, height: 120)
      // One alone: others would be looked at while the line comes.
      try write(room.picture(seed: 0).jpeg(), to: pictures + "/0.jpg")
      let config = """
        camera: \(pictures)
        from_start: yes
        questions: [{name: room, ask: What is it?, choices: [a cat, a dog], tell: always}]
        """
      try write(config.utf8, to: folder + "/room.yaml")
      let (input, output) = (Pipe(), Pipe())
      let process = try vl2.start(
        try words() + [folder + "/room.yaml"], input: input.fileHandleForReading, output: output)
      func line() throws -> [String: Any] {
        var bytes: [UInt8] = []
        while bytes.last != 10, let byte = try output.fileHandleForReading.read(upToCount: 1)?.first {
          bytes.append(byte)
        }
        return try jsonObject(String(decoding: bytes, as: UTF8.self))
      }
      let first = try line()
      #expect(
        first["question"] as? String == "room" && first["reason"] as? String == "start"
          && first["frame"] as? String == "0.jpg")
      try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
      Thread.sleep(forTimeInterval: 1)
      try write(room.picture(seed: 9).jpeg(), to: pictures + "/9.jpg")
      let asked = try line()
      #expect(asked["reason"] as? String == "asked" && asked["frame"] as? String == "9.jpg")
      kill(process.processIdentifier, SIGTERM)
      #expect(try line()["event"] as? String == "ended")
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
    }
  }

  /// Tiles that look as they did are not looked at again, and the lines say how many; the answers are the same.
  @Test func reuse() throws {
    try withTemporaryFolder { folder in
      // A picture of six tiles of which one changes; then noise in all of it.
      var random = SplitMix64(seed: 1)
      let start = (0..<210 * 140 * 3).map { _ in UInt8.random(in: 40...200, using: &random) }
      var square = start
      for row in 20..<50 { for index in (row * 210 + 20) * 3..<(row * 210 + 50) * 3 { square[index] = 250 } }
      let noisy = square.map { UInt8(Int($0) + Int.random(in: -2...2, using: &random)) }
      try FileManager.default.createDirectory(atPath: folder + "/camera", withIntermediateDirectories: true)
      for (index, pixels) in [start, square, noisy].enumerated() {
        let path = "\(folder)/camera/\(index).png"
        try Picture(width: 210, height: 140, pixels: pixels).writePNG(to: path)
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSince1970: 1_800_000_000 + 10 * Double(index))],
          ofItemAtPath: path)
      }
      func watch(_ reuse: [String]) throws -> [[String: Any]] {
        let output = Pipe()
        let process = try vl2.start(
          try words() + [
            folder + "/camera", "--from-start", "--every", "5s", "--tell", "always", "--max-tokens", "8",
            "What is it?",
          ] + reuse, output: output)
        var lines: [[String: Any]] = []
        var bytes: [UInt8] = []
        while lines.count < 3, let byte = try output.fileHandleForReading.read(upToCount: 1)?.first {
          if byte == 10 {
            lines.append(try jsonObject(String(decoding: bytes, as: UTF8.self)))
            bytes = []
          } else {
            bytes.append(byte)
          }
        }
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        return lines
      }
      let off = try watch(["--reuse", "off"])
      #expect(off.map { $0["tiles"] as? Int } == [7, 7, 7] && off.map { $0["reused"] as? Int } == [0, 0, 0])
      let exact = try watch(["--reuse", "exact"])
      #expect(
        exact.map { $0["tiles"] as? Int } == [7, 7, 7] && exact.map { $0["reused"] as? Int } == [0, 5, 0])
      #expect(exact.map { $0["answer"] as? String } == off.map { $0["answer"] as? String })
      #expect(try watch(["--reuse", "3"]).map { $0["reused"] as? Int } == [0, 5, 6])
    }
  }

  /// Of a machine with cameras and of one without.
  @Test func list() throws {
    let run = try vl2.run(["watch", "--list"])
    if run.status == 0 {
      #expect(run.output.contains("/dev/video"))
    } else {
      expectFailure(run, status: 69, naming: "/dev/video*: ", ["--list"])
    }
  }

  @Test func refusals() throws {
    try withTemporaryFolder { folder in
      try write("camera: \"-\"\nquestions:\n  - {name: a, aks: b}\n".utf8, to: folder + "/bad.yaml")
      try write("camera: /none\nquestions: [{name: a, ask: b}]\n".utf8, to: folder + "/none.yaml")
      for (more, status, part) in [
        ([], 64, "No camera given"), (["-"], 64, "No question given: write one after -"),
        (["-", "a", "b"], 64, "'b' is one word too many"),
        (["\(folder)/bad.yaml", "What?"], 64, "leave 'What?' out"),
        (["\(folder)/bad.yaml", "--choices", "a,b"], 64, "--choices does not go with it"),
        (["\(folder)/bad.yaml"], 65, "bad.yaml, line 3: \"aks\" is no key that is known here"),
        (["\(folder)/no.yaml"], 66, "no.yaml: no such file"),
        (["\(folder)/none.yaml"], 66, "/none: no such folder"),
        (["\(folder)/none", "What?"], 66, "none: no such folder; check the path"),
        (["/dev/null", "What?"], 64, "/dev/null: no camera that is known; give - for MJPEG"),
        (["/dev/none", "What?"], 66, "/dev/none: there is no such camera; plug it in"),
        (["--list", "-"], 64, "--list shows all cameras; leave '-' out"),
        (["ftp://x/y", "What?"], 64, "ftp://x/y: no camera that is known"),
        (["command: ", "What?"], 64, "there is no command"),
        (["http://a b", "What?"], 64, "an address has no spaces"),
        (["-", "--every", "often", "What?"], 64, "--every often: give a time"),
        (["-", "--region", "1,2", "What?"], 64, "--region 1,2: give LEFT,TOP"),
        (["-", "--reuse", "some", "What?"], 64, "--reuse some: give off, exact, or a number up to 64"),
        (["-", "--choice", "a", "What?"], 64, "--choices: give two texts"),
        (["-", "--hold", "0", "What?"], 64, "--hold 0"),
        (["-", "--schema", "/none.json", "What?"], 66, "/none.json"),
        (["-", "--exec", " ", "What?"], 64, "--exec: the command is empty"),
        (["-", "--keep-frames", "", "What?"], 64, "--keep-frames: give a folder"),
        ([folder, "--keep-frames", folder, "What?"], 64, "kept in the folder that they come from"),
        (
          [folder, "--keep-frames", "\(folder)/none/a", "What?"], 74,
          "none/a: cannot be written: no such folder"
        ),
        (["-", "--tell", "never", "What?"], 64, "never"),
      ] as [([String], Int32, String)] {
        expectFailure(try vl2.run(try words() + more), status: status, naming: part, more)
      }
      expectFailure(
        try vl2.run(["watch", "--model", "/none.vl2q", "-", "What?"]), status: 66,
        naming: "/none.vl2q: no such file")
    }
  }
}

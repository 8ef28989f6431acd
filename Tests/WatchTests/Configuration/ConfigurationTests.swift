import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Frames
import VL2Run
import VL2Watch

@Suite struct ConfigurationTests {
  private func read(_ text: String) throws -> WatchConfiguration {
    try WatchConfiguration(Array(text.utf8), path: "gate.yaml")
  }

  @Test func everything() throws {
    try withTemporaryFolder { folder in
      try write(
        #"{"type": "object", "properties": {"count": {"type": "integer"}}}"#.utf8, to: folder + "/people.json"
      )
      let text = """
        # The gate.
        camera: rtsp://camera/stream
        size: 1280x720
        rate: 12.5
        format: yuyv
        region: "100,50,640,480"
        mask: ["0,0,10,20", "5,5,1,1"]
        reuse: exact
        on_change: no
        every: 5m
        looks_per_second: 0.5
        settle_frames: 3
        hung_after: 20
        frozen_after: never
        from_start: true
        exec: mosquitto_pub -l -t gate
        exec_seconds: 10s
        keep: {folder: frames, bytes: 5M, age: 2d}
        questions:
          - name: gate
            ask: "How is the gate?"
            choices: [yes, no, 012, ~]
            min_probability: 0.75
            hold_frames: 2
          - name: parcel
            find: the parcel
          - name: people
            ask: >
              How many people
              are there?
            schema: people.json
            tell: always
            max_tokens: 30
        """
      try write([0xEF, 0xBB, 0xBF] + Array(text.utf8), to: folder + "/gate.yaml")
      let configuration = try WatchConfiguration(contentsOf: folder + "/gate.yaml")
      #expect(configuration.camera == "rtsp://camera/stream")
      #expect(configuration.wish == CameraWish(size: CameraSize(1280, 720), rate: 12.5, format: .yuyv))
      #expect(
        reported { _ = try configuration.source() }?.problem
          == "rtsp://camera/stream: 'size', 'rate' and 'format' are for cameras in /dev alone")
      #expect(configuration.region == FrameRegion(left: 100, top: 50, width: 640, height: 480))
      #expect(configuration.mask.count == 2 && !configuration.asksOnChange && configuration.every == 300)
      #expect(configuration.reuse == .exact)
      #expect(configuration.looksPerSecond == 0.5 && configuration.settlingFrames == 3)
      #expect(configuration.hungAfter == 20 && configuration.frozenAfter == nil && configuration.fromStart)
      #expect(configuration.action == "mosquitto_pub -l -t gate" && configuration.actionSeconds == 10)
      let (gate, people) = (configuration.questions[0], configuration.questions[2])
      let keeping = try #require(configuration.keeping)
      #expect(keeping.folder == folder + "/frames" && keeping.bytes == 5 << 20 && keeping.age == 172_800)
      #expect(configuration.questions[1].finds && configuration.questions[1].text == "the parcel")
      // Words, whatever YAML takes them for elsewhere.
      guard case .choices(["yes", "no", "012", "~"]) = gate.form else {
        Issue.record("\(gate.form)")
        return
      }
      #expect(gate.leastProbability == 0.75 && gate.holds == 2 && gate.telling == .changes)
      #expect(
        people.text == "How many people are there?\n" && people.telling == .always && people.maxTokens == 30)
      guard case .schema = people.form else {
        Issue.record("\(people.form)")
        return
      }
    }
  }

  /// Each names the line, what is wrong, and what to do.
  @Test func errors() throws {
    let question = "questions: [{name: a, ask: b}]"
    for (text, problem) in [
      ("", "gate.yaml: it is empty"),
      ("just text", "line 1: no keys with values"),
      ("camera: -\n", "line 1: not YAML: block sequence entries are not allowed"),
      ("camera: \"-\"\n", "line 1: there are no 'questions'"),
      (question, "line 1: there is no 'camera'"),
      ("camera: x\ncamera: y\n\(question)", "line 2: \"camera\" is given twice, first in line 1"),
      ("camera: x\n\(question)\ncolour: red", "line 3: \"colour\" is no key that is known here"),
      (
        "camera: x\nquestions:\n  - name: a\n    ask: b\n    chioces: [c, d]", "line 5: \"chioces\" is no key"
      ),
      ("camera: &a x\n\(question)", "line 1: aliases (*) and anchors (&) are not read"),
      ("camera: x\nexec: *a\n\(question)", "line 2: aliases (*) and anchors (&) are not read"),
      ("camera: !!str x\n\(question)", "line 1: tags (!) are not read"),
      ("camera: x\n\(question)\n---\ncamera: y", "line 3: a second document"),
      ("camera: [x\n", "not YAML: "),
      ("camera:\n  x: y\n\(question)", "line 1: camera: no text"),
      ("camera: x\nevery: soon\n\(question)", "line 2: every: \"soon\"; give a time as 30s"),
      ("camera: x\nevery: -5\n\(question)", "line 2: every: \"-5\"; give a time"),
      ("camera: x\nevery: 1e300\n\(question)", "line 2: every: \"1e300\"; give a time"),
      (
        "camera: x\nreuse: some\n\(question)",
        "line 2: reuse: \"some\"; give off, exact, or a number up to 64"
      ),
      ("camera: x\nreuse: 0\n\(question)", "line 2: reuse: \"0\"; give off"),
      ("camera: x\nreuse: 65\n\(question)", "line 2: reuse: \"65\"; give off"),
      ("camera: x\nreuse: -1\n\(question)", "line 2: reuse: \"-1\"; give off"),
      ("camera: x\nreuse: nan\n\(question)", "line 2: reuse: \"nan\"; give off"),
      ("camera: x\non_change: maybe\n\(question)", "line 2: on_change: \"maybe\"; give yes or no"),
      ("camera: \"-\"\non_change: no\n\(question)", "'on_change: no' without 'every' never asks"),
      ("camera: x\nkeep: frames\n\(question)", "line 2: keep: no keys with values"),
      ("camera: x\nkeep: {age: 1d}\n\(question)", "line 2: keep: no 'folder'; write 'folder: FOLDER'"),
      ("camera: x\nkeep: {folder: y, bytes: 0}\n\(question)", "line 2: bytes: \"0\"; give a number of bytes"),
      ("camera: x\nkeep: {folder: y, bytes: much}\n\(question)", "line 2: bytes: \"much\"; give a number"),
      ("camera: x\nkeep: {folder: y, age: 1w}\n\(question)", "line 2: age: \"1w\"; give a time"),
      ("camera: x\nkeep: {folder: y, days: 1}\n\(question)", "line 2: \"days\" is no key"),
      (
        "camera: x\nquestions:\n  - {name: a, ask: b, find: c}",
        "line 3: 'find' with 'ask', 'choices' or 'schema'"
      ),
      ("camera: x\nregion: 1,2,3\n\(question)", "line 2: region: \"1,2,3\"; give LEFT,TOP"),
      (
        "camera: x\nlooks_per_second: 1000\n\(question)",
        "line 2: looks_per_second: \"1000\"; give a number from 0.01 to 30"
      ),
      ("camera: x\nsettle_frames: 2.5\n\(question)", "line 2: settle_frames: \"2.5\"; give a whole number"),
      ("camera: x\nsize: large\n\(question)", "line 2: size: \"large\"; give WIDTHxHEIGHT in pixels"),
      ("camera: x\nsize: 1280x0\n\(question)", "line 2: size: \"1280x0\"; give WIDTHxHEIGHT"),
      ("camera: x\nrate: 0\n\(question)", "line 2: rate: \"0\"; give a number from 0.1 to 240"),
      ("camera: x\nformat: h264\n\(question)", "line 2: format: \"h264\"; give mjpeg, yuyv or nv12"),
      ("camera: x\nquestions: a", "line 2: questions: no list"),
      ("camera: x\nquestions: []", "there are no 'questions'"),
      ("camera: x\nquestions:\n  - ask: b", "line 3: the question has no 'name'"),
      ("camera: x\nquestions:\n  - name: b", "line 3: the question has no 'ask'"),
      (
        "camera: x\nquestions:\n  - {name: a, ask: b}\n  - {name: a, ask: c}",
        "two questions are called \"a\""
      ),
      ("camera: x\nquestions:\n  - {name: a, ask: b, choices: [c]}", "line 3: choices are two texts or more"),
      (
        "camera: x\nquestions:\n  - {name: a, ask: b, choices: [c, c]}",
        "line 3: choices are two texts or more"
      ),
      (
        "camera: x\nquestions:\n  - {name: a, ask: b, min_probability: 0.5}",
        "'min_probability' without 'choices'"
      ),
      (
        "camera: x\nquestions:\n  - {name: a, ask: b, tell: sometimes}",
        "line 3: tell: \"sometimes\"; give 'changes'"
      ),
      ("camera: x\n? [a]\n: b\n\(question)", "line 2: a key is no word"),
      (String(repeating: "[", count: 2000), "line 1: too many values in one another"),
    ] as [(String, String)] {
      let error = try #require(reported { _ = try read(text) }, "\(text)")
      #expect(error.kind == .badData && error.description.contains(problem), "\(text): \(error)")
      #expect(error.description.hasPrefix("gate.yaml"))
    }
    let schema = reported { _ = try read("camera: x\nquestions: [{name: a, ask: b, schema: /none.json}]") }
    #expect(schema?.kind == .noInput && schema?.description.contains("/none.json") == true)
    #expect(reported { _ = try WatchConfiguration(contentsOf: "/none.yaml") }?.kind == .noInput)
    try withTemporaryFolder { folder in
      try write([0xFF, 0xFE, 0x00], to: folder + "/a.yaml")
      #expect(
        reported { _ = try WatchConfiguration(contentsOf: folder + "/a.yaml") }?.description.contains(
          "not UTF-8") == true)
    }
  }

  /// No text of a configuration crashes the reader.
  @Test func mutations() throws {
    var random = SplitMix64(seed: 7)
    let text = Array(
      "camera: \"-\"\nquestions:\n  - {name: a, ask: b, choices: [c, d]}\nmask: [\"1,2,3,4\"]\n".utf8)
    let parts = [
      "[", "]", "{", "}", "&a", "*a", "!!", "---", ": ", "- ", "\n", "\t", "\"", "|", "? ", "%", "\u{0}",
    ]
    var read = 0
    for _ in 0..<3000 {
      var bytes = text
      for _ in 0..<Int.random(in: 1...5, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: place)
        default:
          bytes.insert(contentsOf: parts.randomElement(using: &random)?.utf8.map { $0 } ?? [], at: place)
        }
      }
      if let error = thrown({ _ = try WatchConfiguration(bytes, path: "x") }) {
        #expect(error is any ReportableError)
      } else {
        read += 1
      }
    }
    #expect(read > 0)
  }

  @Test func reuse() throws {
    for (text, reuse) in [
      ("off", .off), ("exact", .exact), ("4", .threshold(4)), ("2.5", .threshold(2.5)),
      ("64", .threshold(64)),
    ] as [(String, TileReuse)] {
      let configuration = try read("camera: x\nreuse: \(text)\nquestions: [{name: a, ask: b}]")
      #expect(configuration.reuse == reuse)
    }
    #expect(try read("camera: x\nquestions: [{name: a, ask: b}]").reuse == TileReuse.forWatching)
  }
}

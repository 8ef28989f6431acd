import Foundation
import TestFrames
import TestModels
import TestSupport
import Testing
import VL2Run

/// `vl2 serve --watch` as a program.
@Suite struct ServedCameraTests {
  private let vl2 = Tool("vl2")
  private static let room = DrawnScene(width: 160, height: 120)

  private func stream(_ count: UInt64 = 4) -> [UInt8] {
    (0..<count).flatMap { Self.room.picture(seed: $0).jpeg() }
  }

  private func config(_ text: String, in folder: String) throws -> String {
    try write(text.utf8, to: folder + "/watch.yaml")
    return folder + "/watch.yaml"
  }

  /// A client that is told as it happens, by a version of HTTP that has nothing between what is told.
  private func follow(_ server: RunningServer) throws -> HTTPConnection {
    let connection = try HTTPConnection(port: server.port)
    connection.send("GET /live/events HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    return connection
  }

  /// The data of the next message with a name for which something holds.
  private func next(
    _ name: String, _ connection: HTTPConnection, where holds: ([String: Any]) -> Bool = { _ in true }
  ) throws -> [String: Any] {
    while true {
      try #require(try connection.skip(past: "event: \(name)\n"))
      try #require(try connection.skip(past: "data: "))
      try #require(try connection.wait(until: "\n\n"))
      let data = try jsonObject(String(connection.text.components(separatedBy: "\n\n")[0]))
      if holds(data) { return data }
    }
  }

  private func post(_ server: RunningServer, _ path: String, _ body: String = "{}") throws -> HTTPReply {
    let connection = try HTTPConnection(port: server.port)
    connection.request("POST", path, body: body)
    return try #require(try connection.reply())
  }

  private func get(_ server: RunningServer, _ path: String) throws -> HTTPReply {
    let connection = try HTTPConnection(port: server.port)
    connection.request("GET", path)
    return try #require(try connection.reply())
  }

  private func numbers(_ path: String) -> [Int32] {
    ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").compactMap {
      Int32($0)
    }
  }

  private func isGone(_ child: Int32) -> Bool {
    // Its new parent may not have reaped it yet.
    let state = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8))?.split(separator: ")")
      .last
    return state.map { $0.hasPrefix(" Z") } ?? true
  }

  /// Pictures in a folder are answered as they come, shown as they are looked at, and the newest again when somebody asks.
  @Test func folder() throws {
    try withTemporaryFolder { folder in
      let pictures = folder + "/pictures"
      try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
      let first = Self.room.picture(seed: 0).jpeg()
      try write(first, to: pictures + "/0.jpg")
      let server = try RunningServer(
        [
          "--watch",
          try config(
            "camera: \(pictures)\nquestions: [{name: room, ask: What is it?, choices: [a cat, a dog], tell: always}]\n",
            in: folder),
        ], in: folder)
      let client = try follow(server)
      let state = try next("state", client) { state in
        let question = (state["questions"] as? [[String: Any]])?.first
        return state["asking"] is NSNull && question?["holds"] as? Bool == true
      }
      #expect(state["camera"] as? String == "seeing")
      let question = try #require((state["questions"] as? [[String: Any]])?.first)
      #expect(question["name"] as? String == "room" && question["ask"] as? String == "What is it?")
      #expect(question["holds"] as? Bool == true)
      #expect((question["last"] as? [String: Any])?["frame"] as? String == "0.jpg")
      #expect((state["frame"] as? [String: Any])?["width"] as? Int == 160)
      let frame = try get(server, "/live/frame.jpg")
      #expect(frame.status == 200 && frame.body == first && frame.value("x-frame-number") == "1")
      // Nothing new comes, so it is asked about the one that is shown.
      #expect(try post(server, "/live/ask").status == 202)
      let asked = try next("answer", client)
      #expect(asked["reason"] as? String == "asked" && asked["frame"] as? String == "0.jpg")
      var less = Self.room
      less.shapes.removeLast(3)
      // What is no JPEG becomes one.
      let second = less.picture(seed: 1)
      try write(try second.pngData(name: "1.png"), to: folder + "/1.png")
      try FileManager.default.moveItem(atPath: folder + "/1.png", toPath: pictures + "/1.png")
      let changed = try next("answer", client)
      #expect(changed["reason"] as? String == "change" && changed["frame"] as? String == "1.png")
      let shown = try get(server, "/live/frame.jpg")
      #expect(
        try Picture(data: shown.body, name: "shown").width == 160 && shown.value("x-frame-number") == "2")
      #expect(try get(server, "/kiosk").text.hasPrefix("<!doctype html>"))
      try FileManager.default.removeItem(atPath: pictures)
      let gone = try next("state", client) { $0["camera"] as? String == "gone" }
      #expect((gone["message"] as? String)?.contains("no such folder") ?? false)
      #expect(server.end() == 0)
      // Clients are told that it ends; the log has neither questions nor answers.
      #expect(try client.skip(past: "event: end"))
      #expect(!server.lines.contains("cat") && !server.lines.contains("What is it?"))
    }
  }

  /// With a region and a mask, what is shown is what is looked at.
  @Test func region() throws {
    try withTemporaryFolder { folder in
      let pictures = folder + "/pictures"
      try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
      try write(Self.room.picture(seed: 0).jpeg(), to: pictures + "/0.jpg")
      let server = try RunningServer(
        [
          "--watch",
          try config(
            """
            camera: \(pictures)
            region: "40,20,80,64"
            mask: ["40,20,32,32"]
            questions: [{name: room, ask: What is it?, choices: [a cat, a dog]}]

            """, in: folder),
        ], in: folder)
      let client = try follow(server)
      let state = try next("state", client) { $0["camera"] as? String == "seeing" }
      #expect((state["frame"] as? [String: Any])?["width"] as? Int == 80)
      let shown = try Picture(data: try get(server, "/live/frame.jpg").body, name: "shown")
      #expect(shown.width == 80 && shown.height == 64)
      let middle = (16 * 80 + 16) * 3
      #expect(shown.pixels[middle..<middle + 3].allSatisfy { abs(Int($0) - 128) < 6 })
      #expect(server.end() == 0)
    }
  }

  /// A camera's question gives way to a person's, goes on after it, and everything ends with the server.
  @Test(arguments: [SIGTERM, SIGINT]) func peopleFirst(signal: Int32) throws {
    try withTemporaryFolder { folder in
      try write(stream(), to: folder + "/stream")
      // An answer of a thousand tokens and more.
      let schema = """
        {"type": "array", "items": {"type": "string", "minLength": 4, "maxLength": 12}, "minItems": 150}
        """
      try write(schema.utf8, to: folder + "/long.json")
      let camera =
        "command:echo $$ >>\(folder)/child; sleep 1000 & echo $! >>\(folder)/child; while cat \(folder)/stream; do sleep 0.2; done"
      let server = try RunningServer(
        [
          "--max-tiles", "1", "--deadline", "3000", "--watch",
          try config(
            """
            camera: "\(camera)"
            every: 100ms
            exec: "echo $$ >>\(folder)/action; sleep 1000"
            questions:
              - {name: long, ask: What is it?, schema: long.json, max_tokens: 1500, tell: always}
              - {name: short, ask: What is it?, choices: [a cat, a dog], tell: always}

            """, in: folder),
        ], in: folder, model: try PackedModels.pocket())
      let client = try follow(server)
      _ = try next("state", client) { !($0["asking"] is NSNull) }
      let reply = try post(
        server, "/v1/chat/completions",
        try jsonText(["messages": [["role": "user", "content": "a"]], "max_tokens": 1]))
      #expect(reply.status == 200)
      // It was asked after the camera's question and answered before it.
      let state = try next("state", try follow(server))
      #expect(!(state["asking"] is NSNull))
      let questions = try #require(state["questions"] as? [[String: Any]])
      #expect(questions.allSatisfy { $0["last"] == nil })
      #expect(try next("answer", client)["question"] as? String == "long")
      #expect(try next("answer", client)["question"] as? String == "short")
      TestPatience.wait { !numbers(folder + "/action").isEmpty }
      let children = numbers(folder + "/child") + numbers(folder + "/action")
      #expect(children.count >= 3 && children.allSatisfy { !isGone($0) })
      let begin = ContinuousClock.now
      #expect(server.end(signal) == 0)
      // A second, and what a machine at work may take longer.
      #expect(ContinuousClock.now - begin < .seconds(Tool.isEmulated ? 60 : 3))
      for child in children { #expect(isGone(child), "\(child)") }
      #expect(try client.skip(past: "event: end"))
    }
  }

  /// A camera that is not there when the server begins is told of and waited for, and people are answered.
  @Test func cameraLater() throws {
    try withTemporaryFolder { folder in
      let server = try RunningServer(
        [
          "--watch",
          try config(
            "camera: \"command:cat \(folder)/stream && sleep 1000\"\nquestions: [{name: a, ask: What is it?, max_tokens: 3}]\n",
            in: folder),
        ], in: folder)
      let client = try follow(server)
      let gone = try next("state", client) { $0["camera"] as? String == "gone" }
      #expect((gone["message"] as? String)?.contains("no more frames") ?? false)
      #expect(try get(server, "/live/frame.jpg").status == 503)
      #expect(try post(server, "/live/ask").object()["camera"] as? String == "gone")
      #expect(
        try post(
          server, "/v1/chat/completions",
          try jsonText(["messages": [["role": "user", "content": "a"]], "max_tokens": 1])
        ).status == 200)
      try write(stream(), to: folder + "/part")
      try FileManager.default.moveItem(atPath: folder + "/part", toPath: folder + "/stream")
      _ = try next("state", client) { $0["camera"] as? String == "seeing" }
      // Who asked while it was gone is answered now.
      #expect(try next("answer", client)["reason"] as? String == "asked")
      #expect(server.end() == 0)
    }
  }

  /// A camera that ends for good leaves the server as it is.
  @Test func cameraEnds() throws {
    try withTemporaryFolder { folder in
      let server = try RunningServer(
        ["--watch", try config("camera: \"-\"\nquestions: [{name: a, ask: What is it?}]\n", in: folder)],
        in: folder)
      let client = try follow(server)
      _ = try next("state", client) { $0["camera"] as? String == "ended" }
      #expect(try post(server, "/live/ask").status == 503)
      #expect(try get(server, "/health").status == 200)
      TestPatience.wait { server.lines.contains("the server goes on without it") }
      #expect(server.lines.contains("vl2: the camera has no more pictures; the server goes on without it\n"))
      #expect(server.end() == 0)
    }
  }

  /// What is wrong is told before anybody can connect.
  @Test func refusals() throws {
    try withTemporaryFolder { folder in
      let good = "questions: [{name: a, ask: b}]\n"
      for (text, status, part) in [
        ("camera: \"-\"\nquestions: [{name: a, aks: b}]\n", 65, "\"aks\" is no key that is known here"),
        ("camera: /none\n" + good, 66, "/none: no such folder"),
        ("camera: ftp://x\n" + good, 64, "ftp://x: no camera that is known"),
        ("camera: \"command: \"\n" + good, 64, "there is no command"),
      ] as [(String, Int32, String)] {
        let run = try vl2.run([
          "serve", "--model", try PackedModels.path("nano-mha", .q4), "--demo", "--port", "0", "--watch",
          try config(text, in: folder),
        ])
        expectFailure(run, status: status, naming: part, [text])
        #expect(!run.errors.contains("serving"))
      }
      expectFailure(
        try vl2.run([
          "serve", "--model", try PackedModels.path("nano-mha", .q4), "--watch", folder + "/no.yaml",
        ]), status: 66, naming: "no.yaml: no such file")
    }
  }
}

import Foundation
import TestFrames
import TestSupport
import Testing
import VL2Base
import VL2Run
import VL2Serve

/// What a camera sees and says, over HTTP; the tests are the camera's loop.
@Suite struct LiveTests {
  private func source(_ change: (inout LiveSource.Limits) -> Void = { _ in }) -> LiveSource {
    var limits = LiveSource.Limits()
    change(&limits)
    return LiveSource(questions: [("gate", "How is the gate?"), ("who", "Who is there?")], limits: limits)
  }

  private func answer(_ text: String?, _ question: String = "gate", second: Int = 0) -> JSONValue {
    [
      "time": .text("2026-12-01T10:00:0\(second).000Z"), "question": .text(question),
      "answer": text.map { JSONValue.text($0) } ?? .null,
    ]
  }

  private func event(_ name: String, question: String? = nil) -> JSONValue {
    var line: JSONValue = ["time": "2026-12-01T11:00:00.000Z", "event": .text(name)]
    if let question { line.append("question", .text(question)) }
    return line
  }

  private static let scene = DrawnScene(width: 160, height: 120)

  private func show(_ live: LiveSource, seed: UInt64 = 1) {
    let picture = Self.scene.picture(seed: seed)
    live.show(.picture(picture), width: 160, height: 120, time: "2026-12-01T10:00:00.000Z")
  }

  /// A client that is told as it happens, by a version of HTTP that has nothing between what is told.
  private func follow(_ server: TestServer, after id: String? = nil) async throws -> HTTPConnection {
    let connection = try await server.connect()
    return try await offTasks {
      let more = id.map { "Last-Event-ID: \($0)\r\n" } ?? ""
      connection.send("GET /live/events HTTP/1.0\r\nHost: 127.0.0.1\r\n\(more)\r\n")
      let isTold = try connection.wait(until: "event: state\ndata: ")
      #expect(isTold)
      return connection
    }
  }

  private struct Message {
    var name: String
    var id: String
    var data: [String: Any]
  }

  /// Messages of a stream that has ended.
  private func told(_ reply: HTTPReply?) throws -> [Message] {
    let reply = try #require(reply)
    #expect(reply.status == 200 && reply.value("content-type") == "text/event-stream")
    return try reply.text.components(separatedBy: "\n\n").compactMap { part in
      var fields: [String: String] = [:]
      for line in part.split(separator: "\n") where !line.hasPrefix(":") {
        let words = line.split(separator: ":", maxSplits: 1)
        fields[String(words[0])] = String(words[1].dropFirst())
      }
      guard let name = fields["event"] else { return nil }
      return Message(name: name, id: fields["id"] ?? "", data: try jsonObject(fields["data"] ?? ""))
    }
  }

  /// How things stand, as a new client is told.
  private func state(_ server: TestServer) async throws -> [String: Any] {
    let connection = try await follow(server)
    let text = try await offTasks {
      let isWhole = try connection.skip(past: "event: state\ndata: ") && connection.wait(until: "\n\n")
      #expect(isWhole)
      return connection.text.components(separatedBy: "\n\n")[0]
    }
    return try jsonObject(text)
  }

  private func questions(_ state: [String: Any]) -> [String] {
    (state["questions"] as? [[String: Any]] ?? []).map { question in
      let last = (question["last"] as? [String: Any])?["answer"]
      return "\(last as? String ?? (last == nil ? "-" : "null")) \(question["holds"] as? Bool ?? false)"
    }
  }

  private func standing(_ server: TestServer) async throws -> [String] {
    questions(try await state(server))
  }

  /// Waits until metrics have a line.
  private func comes(_ server: TestServer, _ line: String) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(200)
    while !(try await server.ask("GET", "/metrics").text.contains("\n\(line)\n")) {
      if ContinuousClock.now > end { return false }
      try await Task.sleep(for: .milliseconds(5))
    }
    return true
  }

  @Test func withoutCamera() async throws {
    let server = try await TestServer()
    for (method, path) in [
      ("GET", "/kiosk"), ("GET", "/live/frame.jpg"), ("GET", "/live/events"), ("POST", "/live/ask"),
    ] {
      let reply = try await server.ask(method, path, body: method == "POST" ? "{}" : nil)
      #expect(reply.status == 404 && reply.text.contains("start it with --watch CONFIG.yaml"), "\(path)")
    }
    #expect(!(try await server.ask("GET", "/metrics").text.contains("vl2_camera")))
  }

  @Test func page() async throws {
    let server = try await TestServer(access: AccessRules(keys: ["sesame"]), live: source())
    let page = try await server.ask("GET", "/kiosk")
    #expect(page.status == 200 && page.value("content-type") == "text/html; charset=utf-8")
    let policy = try #require(page.value("content-security-policy"))
    for part in ["default-src 'none'", "img-src data:;", "connect-src 'self'", "frame-ancestors 'none'"] {
      #expect(policy.contains(part))
    }
    #expect(!policy.contains("unsafe"))
    for (method, path) in [("GET", "/live/frame.jpg"), ("GET", "/live/events"), ("POST", "/live/ask")] {
      #expect(
        try await server.ask(method, path, body: method == "POST" ? "{}" : nil).status == 401, "\(path)")
      let wrong = try await server.ask(
        method == "GET" ? "PUT" : "GET", path, headers: ["X-Api-Key: sesame"])
      #expect(wrong.status == 405)
    }
    #expect(
      try await server.ask("GET", "/live/frame.jpg", headers: ["Origin: http://attacker.example"]).status
        == 403)
    #expect(
      try await server.ask("POST", "/live/ask", headers: ["X-Api-Key: sesame"], body: "{}").status == 202)
  }

  @Test func frames() async throws {
    let live = source()
    let server = try await TestServer(live: live)
    let none = try await server.ask("GET", "/live/frame.jpg")
    #expect(none.status == 503 && none.value("retry-after") == "2")
    show(live)
    let first = try await server.ask("GET", "/live/frame.jpg")
    #expect(first.status == 200 && first.value("content-type") == "image/jpeg")
    #expect(first.value("cache-control") == "no-store" && first.value("x-frame-number") == "1")
    let decoded = try Picture(data: first.body, name: "first")
    #expect(decoded.width == 160 && decoded.height == 120)
    let difference = zip(decoded.pixels, Self.scene.picture(seed: 1).pixels).reduce(0) {
      $0 + abs(Int($1.0) - Int($1.1))
    }
    #expect(difference < 6 * decoded.pixels.count)
    // The same again is the same file, and need not be sent.
    #expect(try await server.ask("GET", "/live/frame.jpg").body == first.body)
    let tag = try #require(first.value("etag"))
    let same = try await server.ask("GET", "/live/frame.jpg", headers: ["If-None-Match: \(tag)"])
    #expect(same.status == 304 && same.body.isEmpty && same.value("etag") == tag)
    let head = try await server.ask("HEAD", "/live/frame.jpg")
    #expect(head.status == 200 && head.body.isEmpty && head.value("content-length") == "\(first.body.count)")
    // A camera's own JPEG goes on as it is, with the tables that it lacks.
    let jpeg = Self.scene.picture(seed: 2).jpeg()
    live.show(.jpeg(jpeg), width: 160, height: 120, time: "2026-12-01T10:00:01.000Z")
    let second = try await server.ask("GET", "/live/frame.jpg", headers: ["If-None-Match: \(tag)"])
    #expect(second.status == 200 && second.body == jpeg && second.value("x-frame-number") == "2")
    let bare = withoutHuffmanTables(jpeg)
    live.show(.jpeg(bare), width: 160, height: 120, time: "2026-12-01T10:00:02.000Z")
    #expect(try await server.ask("GET", "/live/frame.jpg").body == HuffmanTables.completing(bare))
    // One that no JPEG can be made of is told as what it is, and the next one is shown.
    live.show(
      .picture(Picture(width: 70_000, height: 1, pixels: Array(repeating: 0, count: 210_000))),
      width: 70_000, height: 1, time: "2026-12-01T10:00:03.000Z")
    #expect(try await server.ask("GET", "/live/frame.jpg").status == 503)
    show(live)
    #expect(try await server.ask("GET", "/live/frame.jpg").value("x-frame-number") == "5")
    // Nobody's log grows with each picture.
    #expect(try await comes(server, "vl2_http_requests_total{route=\"/live/frame.jpg\",status=\"304\"} 1"))
    #expect(!server.log.lines.contains("/live/frame.jpg: 200") && !server.log.lines.contains(": 304"))
  }

  /// State first, then what happens; whoever comes back gets what was told meanwhile, as far as it is kept.
  @Test func events() async throws {
    let live = source { $0.lines = 3 }
    let server = try await TestServer(live: live)
    let head = try await server.ask("HEAD", "/live/events")
    #expect(head.status == 200 && head.body.isEmpty && head.value("content-type") == "text/event-stream")
    let early = try await follow(server)
    show(live)
    live.tell(answer("open"))
    live.tell(event("broken"))
    live.tell(answer("Bob\u{2028}\n\ndata: x", "who"))
    #expect(try await offTasks { try early.wait(until: "event: answer", count: 2) })
    let id = early.text.components(separatedBy: "\n").first { $0.hasPrefix("id: ") }
    let name = String(try #require(id).dropFirst(4).dropLast(2))
    let known = try await follow(server, after: name + "-1")
    let stranger = try await follow(server, after: "somebody-1")
    for number in 0..<4 { live.tell(answer("\(number)")) }
    let late = try await follow(server, after: name + "-2")
    server.server.close()
    let (first, again, others, missed) = try await offTasks {
      (try early.reply(), try known.reply(), try stranger.reply(), try late.reply())
    }
    let all = try told(first)
    #expect(all.first?.name == "state" && all.last?.name == "end")
    #expect(all.first?.data["camera"] as? String == "starting" && all.first?.data["frame"] is NSNull)
    #expect(all[1].name == "state" && all[1].data["camera"] as? String == "seeing")
    #expect(all[2].name == "frame" && all[2].data["number"] as? Int == 1)
    #expect(all.filter { $0.name == "answer" }.count == 6 && all.filter { $0.name == "event" }.count == 1)
    #expect(all.filter { !$0.id.isEmpty }.map(\.id) == (1...7).map { "\(name)-\($0)" })
    #expect(
      all.last { $0.data["question"] as? String == "who" }?.data["answer"] as? String
        == "Bob\u{2028}\n\ndata: x")
    func ids(_ reply: HTTPReply?) throws -> [String] {
      try told(reply).map(\.id).filter { !$0.isEmpty }.map { String($0.suffix(1)) }
    }
    #expect(try ids(again) == ["2", "3", "4", "5", "6", "7"])
    #expect(try ids(others) == ["4", "5", "6", "7"])
    #expect(try ids(missed) == ["5", "6", "7"])
    let (whole, parts) = (try told(again), try told(missed))
    #expect(!whole.contains { $0.name == "missed" })
    #expect(parts.first { $0.name == "missed" }?.data["lines"] as? Int == 2)
    #expect(try await server.ask("GET", "/live/events").status == 503)
  }

  /// How things stand follows from what is told.
  @Test func standing() async throws {
    let live = source()
    let server = try await TestServer(live: live)
    func camera() async throws -> String { try await state(server)["camera"] as? String ?? "" }
    var now = try await state(server)
    #expect(now["camera"] as? String == "starting" && questions(now) == ["- false", "- false"])
    #expect(now["asking"] is NSNull && now["version"] as? String == packageVersion)
    show(live)
    live.asks("start")
    now = try await state(server)
    #expect(now["camera"] as? String == "seeing" && now["asking"] as? String == "start")
    live.tell(answer("open"))
    live.tell(answer(nil, "who"))
    live.asks(nil)
    now = try await state(server)
    #expect(now["asking"] is NSNull && questions(now) == ["open true", "null false"])
    // The model is no longer sure, then sure again.
    live.judge("gate", holds: false)
    #expect(try await standing(server) == ["open false", "null false"])
    live.judge("gate", holds: true)
    live.tell(event("failed", question: "who"))
    live.tell(event("broken"))
    #expect(try await standing(server) == ["open true", "null false"])
    live.tell(event("failed", question: "gate"))
    #expect(try await standing(server) == ["open false", "null false"])
    // A camera that comes back dark is dark: it has said so before.
    live.tell(event("dark"))
    live.tell(event("gone"))
    #expect(try await camera() == "gone")
    live.tell(event("back"))
    #expect(try await camera() == "dark")
    live.tell(event("frozen"))
    #expect(try await camera() == "frozen")
    live.tell(event("back"))
    #expect(try await camera() == "seeing")
    live.tell(event("outside"))
    #expect(try await camera() == "outside")
    show(live)
    live.tell(event("hung"))
    #expect(try await camera() == "hung")
    live.tell(event("back"))
    #expect(try await camera() == "seeing")
    #expect(try await comes(server, "vl2_camera_state{state=\"seeing\"} 1"))
    #expect(try await comes(server, "vl2_camera_lines_total{kind=\"answer\"} 2"))
    live.tell(event("ended"))
    #expect(try await camera() == "ended")
    #expect(try await server.ask("POST", "/live/ask", body: "{}").status == 503)
  }

  @Test func asking() async throws {
    let live = source()
    let server = try await TestServer(live: live)
    #expect(!live.takeAsking())
    let reply = try await server.ask("POST", "/live/ask", body: "{}")
    #expect(reply.status == 202)
    #expect(try reply.object() as? [String: String] == ["status": "asked", "camera": "starting"])
    #expect(try await server.ask("POST", "/live/ask").status == 202)
    #expect(live.takeAsking() && !live.takeAsking())
    #expect(
      try await server.ask(
        "POST", "/live/ask", headers: ["Content-Type: text/plain"], body: "x"
      ).status == 415)
  }

  /// So many are told and no more, so that others can ask; whoever leaves makes room.
  @Test func places() async throws {
    let live = source { $0.clients = 2 }
    let server = try await TestServer(live: live)
    var clients = [try await follow(server), try await follow(server)]
    let third = try await server.ask("GET", "/live/events")
    #expect(third.status == 503 && third.value("retry-after") == "30")
    clients.removeLast()
    #expect(try await comes(server, "vl2_live_clients 1"))
    clients.append(try await follow(server))
    #expect(try await comes(server, "vl2_live_clients 2"))
    clients = []
    #expect(try await comes(server, "vl2_live_clients 0"))
    #expect(try await comes(server, "vl2_live_slow_clients_total 0"))
  }

  /// Whoever takes nothing is let go of before much is kept for it, and the others notice nothing.
  @Test func slowClient() async throws {
    let live = source { $0.clientBytes = 1 << 16 }
    let server = try await TestServer(live: live)
    let slow = try await follow(server)
    let good = try await follow(server)
    let text = String(repeating: "x", count: 20_000)
    var told = 0
    // What the system takes for a connection has no limit that is known here, but it has one.
    while !(try await server.ask("GET", "/metrics").text.contains("vl2_live_slow_clients_total 1\n")) {
      try #require(told < 2000)
      live.tell(answer(text))
      told += 1
      #expect(try await offTasks { try good.skip(past: "event: answer") })
    }
    #expect(try await comes(server, "vl2_live_clients 1"))
    live.tell(answer("the last"))
    #expect(try await offTasks { try good.skip(past: "the last") })
    // Its connection ends, and what was on the way is not all that was told.
    let got = try await offTasks { try slow.reply()?.text ?? "" }
    #expect(got.contains("event: state") && !got.contains("the last") && !got.contains("event: end"))
  }

  /// A loop that stands still, or a question that nobody works on, gives no sign of life.
  @Test func signsOfLife() async throws {
    let live = source()
    let server = try await TestServer(live: live)
    var signs = SignsOfLife(of: server.server)
    func isAlive() -> Bool { signs.areThere() }
    #expect(isAlive() && isAlive())
    live.begins()
    _ = isAlive()
    #expect(!isAlive())
    live.goesRound()
    #expect(isAlive() && !isAlive())
    live.asks("change")
    live.goesRound()
    _ = isAlive()
    live.goesRound()
    #expect(!isAlive())
    live.goesRound()
    live.works()
    #expect(isAlive())
    // People are answered meanwhile.
    live.goesRound()
    _ = try await server.post("/v1/chat/completions", ["messages": messages("a"), "max_tokens": 1])
    #expect(isAlive())
    live.asks(nil)
    live.goesRound()
    #expect(isAlive())
    live.tell(event("ended"))
    #expect(isAlive() && isAlive())
  }
}

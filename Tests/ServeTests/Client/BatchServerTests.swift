import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Run
import VL2Serve

/// Lines of a batch that a server answers: a real one, which has to give what this machine gives, and one that does all that a
/// server should not.
@Suite struct BatchServerTests {
  private let name = String(repeating: "0123456789abcdef", count: 4)
  private let settings = String(repeating: "5", count: 64)

  private func line(_ text: String) throws -> BatchRequest {
    try withTemporaryFolder { folder in
      try write((text + "\n").utf8, to: folder + "/line")
      let descriptor = open(folder + "/line", O_RDONLY)
      defer { close(descriptor) }
      let line = try #require(try LineReader(Descriptor(descriptor), longest: 1 << 20).next())
      return BatchRequest(line, mostBytes: 1 << 20)
    }
  }

  private func request(_ body: [String: Any]) throws -> BatchRequest {
    try line(
      jsonText(["custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": body]))
  }

  private func client(
    _ port: UInt16, key: String? = nil, concurrency: Int = 2, _ change: (inout Patience) -> Void = { _ in }
  ) throws -> BatchServer {
    var patience = Patience()
    (patience.seconds, patience.retries) = (600, 3)
    (patience.firstPause, patience.longestPause) = (0.01, 0.02)
    change(&patience)
    return BatchServer(
      try ServerAddress("http://127.0.0.1:\(port)"), key: key, patience: patience, concurrency: concurrency,
      isStopped: { false })
  }

  // MARK: a real server

  /// Each line has the bytes that it has without a server: answers, errors, pictures that are sent and named.
  @Test func asHere() async throws {
    let limits = TestServer.patient
    let server = try await TestServer(
      access: AccessRules(keys: ["sesame"]), limits: limits, settings: settings)
    let client = try client(server.listener.port, key: "sesame")
    let description = try await offTasks { try client.describe() }
    #expect(description.settings == settings)
    let pictures = Fixtures.path("golden/images")
    let folder = try ConfinedFolder(path: pictures)
    let small = try dataURL("small.png")
    let call: [String: Any] = [
      "type": "function", "function": ["name": "f", "parameters": ["type": "integer"]],
    ]
    let bodies: [[String: Any]] = [
      ["model": "test", "messages": messages("Tell", [small]), "max_tokens": 9],
      ["messages": messages("Tell", ["small.png"]), "max_tokens": 9],
      ["messages": messages("Tell", ["file://\(pictures)/small.png", small]), "max_tokens": 5],
      ["messages": messages("go"), "max_tokens": 20, "temperature": 1],
      [
        "messages": messages("go"), "max_tokens": 9, "logprobs": true, "top_logprobs": 2,
        "timings_per_token": true,
      ],
      ["messages": messages("go"), "tools": [call], "tool_choice": "required", "max_tokens": 30],
      ["messages": messages("it", ["small.png"]), "ground": true, "max_tokens": 9],
      ["messages": []], ["messages": messages("go"), "n": 2], ["model": "other", "messages": messages("go")],
      ["messages": messages("go"), "stream": true],
      ["messages": messages("go", ["none.png"])], ["messages": messages("go", ["../x.png"])],
      ["model": "other", "messages": messages("go", ["none.png"])],
      ["messages": messages("go", ["../../golden/images"])], ["messages": messages("go", ["manifest.json"])],
      ["messages": messages("go", ["http://example.org/a.jpg"])], ["messages": messages("go", ["file:%zz"])],
      ["messages": messages("go", Array(repeating: "small.png", count: 17))],
      [
        "messages": [
          ["role": "user", "content": [["type": "text", "text": "go", "image_url": "none.png"]]]
        ], "max_tokens": 4,
      ],
      ["messages": messages(String(repeating: "word ", count: 5000))],
    ]
    for body in bodies {
      for earlier in body.keys.contains("temperature") ? [nil, 3] : [nil] {
        let line = try request(body)
        var named = limits
        named.pictures.folder = folder
        let here = try await line.reply(
          name: name, earlier: earlier, model: try ServedModel(server.engine, aliases: ["test"]),
          limits: named
        ) { try await server.engine.answer($0).answer() }
        let there = try await offTasks { [name] in
          try client.reply(to: line, number: 0, name: name, earlier: earlier, description, folder: folder)
        }
        #expect(line.line(there, name: name).json == line.line(here, name: name).json, "\(body)")
      }
    }
    let wrong = try line("no JSON")
    let there = try await offTasks { [name] in
      try client.reply(to: wrong, number: 0, name: name, earlier: nil, description, folder: nil)
    }
    #expect(there.status == 400)
  }

  /// What time cuts short is no answer, and how fast a machine is changes none.
  @Test func deadline() async throws {
    var limits = TestServer.patient
    limits.deadline = 1
    let server = try await TestServer(slow: true, limits: limits, settings: settings)
    let client = try client(server.listener.port) { $0.retries = 0 }
    let line = try request(["messages": messages("go", [try dataURL("small.png")]), "max_tokens": 400])
    let reply = try await offTasks { [name] in
      try client.reply(to: line, number: 0, name: name, earlier: nil, client.describe(), folder: nil)
    }
    #expect(reply.status == 503)
    #expect(reply.body.member("error")?.member("code") == .text("deadline"))
  }

  /// A batch is not answered by a server that would answer otherwise.
  @Test func otherSettings() async throws {
    let server = try await TestServer(settings: settings)
    let client = try client(server.listener.port)
    let line = try request(["messages": messages("go"), "max_tokens": 1])
    var description = try await offTasks { try client.describe() }
    description.settings = String(repeating: "6", count: 64)
    let other = description
    await expectFault("another model, or other options") { [name] in
      _ = try client.reply(to: line, number: 0, name: name, earlier: nil, other, folder: nil)
    }
    let body = try jsonText(["messages": messages("go"), "max_tokens": 1])
    for (value, status) in [
      ("\(settings) \(name)", 200), ("\(name) \(name)", 409), ("x", 400), (settings, 400),
      ("\(settings)  \(name)", 400),
      ("\(settings) \(name.uppercased())", 400),
    ] {
      let told = try await server.ask(
        "POST", "/v1/chat/completions", headers: ["X-VL2-Batch: \(value)"], body: body)
      #expect(told.status == status, "\(value): \(told.text)")
    }
    // One that was started without them answers none.
    let without = try await TestServer()
    let foreign = try self.client(without.listener.port)
    await expectFault("is no vl2 serve that answers batches") { _ = try foreign.describe() }
  }

  @Test func keys() async throws {
    let server = try await TestServer(access: AccessRules(keys: ["sesame"]), settings: settings)
    for key in [nil, "wrong"] {
      let client = try client(server.listener.port, key: key)
      await expectFault("wants a key") { _ = try client.describe() }
    }
  }

  private func expectFault(
    _ part: String, _ kind: ErrorKind = .unavailable, _ body: @escaping @Sendable () throws -> Void
  ) async {
    do {
      try await offTasks(body)
      Issue.record("no fault: \(part)")
    } catch {
      let fault = error as? ServerFault
      #expect(fault?.kind == kind && fault?.problem.contains(part) == true, "\(part): \(error)")
    }
  }

  // MARK: a bad one

  private var models: [UInt8] {
    response(
      200,
      "{\"data\": [{\"id\": \"test\", \"batch_settings\": \"\(settings)\", \"max_model_len\": 100, \"aliases\": []}]}"
    )
  }

  private var good: [UInt8] {
    response(200, "{\"id\": \"chatcmpl-\(name.prefix(24))\", \"x\": [1.5, \"\\u00e9\"]}")
  }

  /// Whatever comes in between, the answer is there in the end, after as many tries as it takes.
  @Test func triesAgain() async throws {
    let error = "{\"error\": {\"message\": \"later\", \"code\": \"x\"}}"
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    let bad: [StandIn.Step] = [
      .reset, .send([]), .send(Array("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"id\":".utf8)),
      .send(Array("garbage".utf8)), .send(Array("garbage\r\n\r\n".utf8)), .send(response(200, "{}")),
      .send(response(200, "no JSON")), .send(response(200, "{\"id\": \"chatcmpl-another\"}")),
      .send(response(429, error)), .send(response(503, error, ["Retry-After: 0"])),
      .send(response(503, "<html>")), .send(response(502, "<html>")), .send(response(504, "")),
      .send(response(500, error)), .send(response(418, "{}")), .send(response(400, "[]")),
      .send(Array((chunked + "5\r\nabc").utf8)), .send(Array((chunked + "zz\r\nabc").utf8)),
      .flood(Array("HTTP/1.1 200 OK\r\n".utf8), again: Array("X: y\r\n".utf8)),
      .flood(Array(chunked.utf8), again: Array("3\r\nabc\r\n".utf8 + [0])),
      .flood(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), again: Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)),
      .send(response(200, String(repeating: "[", count: 100_000))),
    ]
    let line = try request(["messages": messages("go")])
    for (index, step) in bad.enumerated() {
      let server = try StandIn([.send(models), step, .send(good)])
      defer { server.stop() }
      let client = try client(server.port)
      let reply = try await offTasks { [name] in
        try client.reply(to: line, number: 0, name: name, earlier: nil, client.describe(), folder: nil)
      }
      #expect(reply.status == 200 && reply.body.member("x") == [1.5, "é"], "\(index): \(reply)")
    }
    // In pieces, and in chunks.
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    let body = "{\"id\": \"chatcmpl-\(name.prefix(24))\"}"
    let inChunks = Array((chunks + "5\r\n\(body.prefix(5))\r\n26\r\n\(body.dropFirst(5))\r\n0\r\n\r\n").utf8)
    #expect(body.count == 43)
    for step in [StandIn.Step.pieces(good, 40), .pieces(inChunks, 60), .send(inChunks)] {
      let server = try StandIn([.send(models), step])
      defer { server.stop() }
      let client = try client(server.port) { $0.retries = 0 }
      let reply = try await offTasks { [name] in
        try client.reply(to: line, number: 0, name: name, earlier: nil, client.describe(), folder: nil)
      }
      #expect(reply.status == 200)
    }
  }

  /// A line that no server can answer is told of as such, where the server is there otherwise; the server's own words count.
  @Test func givesUpOnALine() async throws {
    let line = try request(["messages": messages("go")])
    let late = "{\"error\": {\"message\": \"too slow\", \"code\": \"deadline\"}}"
    let head = Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".utf8)
    for (step, seconds, status, part) in [
      (StandIn.Step.reset, 600, nil, "connection reset by peer"),
      (.hang([]), 0.3, nil, "no response within 0.3 s"),
      (.hang(head), 0.3, nil, "no response within 0.3 s"),
      (.send(response(502, "<html>")), 600, nil, "status 502"),
      (.send(response(503, late, ["Retry-After: 0"])), 600, 503, ""),
    ] as [(StandIn.Step, Double, Int?, String)] {
      let server = try StandIn([.send(models), step, step, step, .send(models)])
      defer { server.stop() }
      let client = try client(server.port) {
        $0.retries = 2
        $0.seconds = seconds
      }
      let reply = try await offTasks { [name] in
        try client.reply(to: line, number: 0, name: name, earlier: nil, client.describe(), folder: nil)
      }
      #expect(reply.status == status)
      let value = line.line(reply, name: name)
      if status == nil {
        #expect(value.member("response") == .null && value.member("error")?.member("code") == "no_answer")
        let text = String(decoding: value.json, as: UTF8.self)
        #expect(text.contains("after 3 tries") && text.contains(part), "\(text)")
      } else {
        #expect(value.member("error") == .null)
        #expect(reply.body.member("error")?.member("code") == "deadline")
      }
    }
  }

  /// What another try would not help is an answer at once.
  @Test func takesRefusals() async throws {
    let line = try request(["messages": messages("go")])
    let error = "{\"error\": {\"message\": \"no\"}}"
    for (status, headers) in [
      (400, []), (404, []), (413, []), (501, []), (503, ["x-should-retry: false"]),
    ] as [(Int, [String])] {
      let server = try StandIn([.send(models), .send(response(status, error, headers))])
      defer { server.stop() }
      let client = try client(server.port)
      let reply = try await offTasks { [name] in
        try client.reply(to: line, number: 0, name: name, earlier: nil, client.describe(), folder: nil)
      }
      #expect(reply.status == status && reply.body == ["error": ["message": "no"]])
      #expect(server.requests.count == 2)
    }
  }

  /// A server that is gone is not blamed on lines, nor one that is full.
  @Test func givesUpOnAServer() async throws {
    let line = try request(["messages": messages("go")])
    for (step, part) in [
      (StandIn.Step.reset, "connection reset by peer"), (.send(response(502, "<html>")), "status 502"),
      (.send(response(503, "")), "status 503"),
    ] {
      let server = try StandIn([.send(models), step])
      defer { server.stop() }
      let client = try client(server.port)
      await expectFault(part) { [name] in
        _ = try client.reply(to: line, number: 0, name: name, earlier: nil, client.describe(), folder: nil)
      }
    }
    let full = try StandIn([.send(models), .send(response(429, "{\"error\": {\"message\": \"full\"}}"))])
    defer { full.stop() }
    let waiting = try client(full.port) { $0.busySeconds = 0.2 }
    await expectFault("had no place", .busy) { [name] in
      _ = try waiting.reply(to: line, number: 0, name: name, earlier: nil, waiting.describe(), folder: nil)
    }
    #expect(full.requests.count > 2)
    let gone = try StandIn([.send(models)])
    gone.stop()
    let client = try client(gone.port) { $0.retries = 1 }
    await expectFault("cannot be reached") { _ = try client.describe() }
    let other = try StandIn([.send(response(200, "{\"data\": [{\"id\": \"x\"}]}"))])
    defer { other.stop() }
    let foreign = try self.client(other.port)
    await expectFault("is no vl2 serve") { _ = try foreign.describe() }
    for (status, part) in [(302, "no other one is followed"), (404, "status 404"), (403, "refuses")] {
      let elsewhere = try StandIn([.send(response(status, "", ["Location: http://example.org/"]))])
      defer { elsewhere.stop() }
      let client = try self.client(elsewhere.port)
      do {
        _ = try await offTasks { try client.describe() }
        Issue.record("\(status)")
      } catch {
        #expect("\(error)".contains(part), "\(error)")
      }
    }
  }

  /// Whoever has to stop waits for nobody.
  @Test func stops() async throws {
    for step in [StandIn.Step.hang([]), .send(response(429, "{}", ["Retry-After: 300"])), .reset] {
      let server = try StandIn([.send(models), step])
      defer { server.stop() }
      let isStopped = Monitor(false)
      var patience = Patience()
      patience.firstPause = 300
      patience.longestPause = 300
      let client = BatchServer(
        try ServerAddress("http://127.0.0.1:\(server.port)"), key: nil, patience: patience, concurrency: 1,
        isStopped: { isStopped.withLock { $0 } })
      let line = try request(["messages": messages("go")])
      let description = try await offTasks { try client.describe() }
      let begin = ContinuousClock.now
      async let result: Void = offTasks { [name] in
        _ = try client.reply(to: line, number: 0, name: name, earlier: nil, description, folder: nil)
      }
      try await Task.sleep(for: .milliseconds(200))
      isStopped.withLock { $0 = true }
      do {
        try await result
        Issue.record("it did not stop")
      } catch {
        #expect(error is BatchServer.Stopped, "\(error)")
      }
      #expect(ContinuousClock.now - begin < .seconds(100))
    }
  }

  /// What goes out: a request that any server takes, with the key and the mark in its head, and the picture in its body.
  @Test func whatIsSent() async throws {
    let server = try StandIn([.send(models), .send(good)])
    defer { server.stop() }
    let client = try client(server.port, key: "sesame")
    let line = try request(["messages": messages("go", ["small.png"]), "temperature": 0.5])
    let folder = try ConfinedFolder(path: Fixtures.path("golden/images"))
    _ = try await offTasks { [name] in
      try client.reply(to: line, number: 0, name: name, earlier: nil, client.describe(), folder: folder)
    }
    let sent = server.requests
    #expect(
      sent.count == 2 && sent[0].hasPrefix("GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n"))
    #expect(sent.allSatisfy { $0.contains("\r\nAuthorization: Bearer sesame\r\n") })
    #expect(sent.allSatisfy { $0.contains("\r\nConnection: close\r\n") })
    #expect(sent[1].contains("\r\nX-VL2-Batch: \(settings) \(name)\r\n"))
    let body = try #require(sent[1].range(of: "\r\n\r\n"))
    let object = try jsonObject(String(sent[1][body.upperBound...]))
    #expect(object["temperature"] as? Double == 0.5)
    #expect(sent[1].contains("data:;base64,\(try base64("small.png"))"))
  }

  /// A full server is sent less at a time, and the earliest goes first.
  @Test func places() async throws {
    let atWork = Monitor((now: 0, most: 0, full: 0))
    let (models, good) = (models, good)
    let server = try StandIn([
      .answer { request in
        if request.hasPrefix("GET") { return models }
        let isFull = atWork.withLock { work -> Bool in
          work.now += 1
          work.most = max(work.most, work.now)
          if work.now > 2 { work.full += 1 }
          return work.now > 2
        }
        if !isFull { usleep(20_000) }
        atWork.withLock { $0.now -= 1 }
        return isFull ? response(429, "{\"error\": {\"message\": \"full\"}}") : good
      }
    ])
    defer { server.stop() }
    let client = try client(server.port, concurrency: 8) { $0.retries = 0 }
    let line = try request(["messages": messages("go")])
    let description = try await offTasks { try client.describe() }
    try await withThrowingTaskGroup(of: Int?.self) { group in
      for number in 0..<60 {
        group.addTask { [name] in
          try await offTasks {
            try client.reply(to: line, number: number, name: name, earlier: nil, description, folder: nil)
              .status
          }
        }
      }
      for try await status in group { #expect(status == 200) }
    }
    let (_, most, full) = atWork.withLock { $0 }
    #expect(most <= 8 && full > 0, "\(most) \(full)")
  }
}

import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Run
import VL2Serve

/// Addresses, queues, times and ends.
@Suite struct ServerTests {
  /// A question that does not end by itself before it is caught.
  private func long(stream: Bool = true) throws -> String {
    try jsonText([
      "messages": messages(String(repeating: "a ", count: 100)), "max_tokens": 5000, "stream": stream,
      "temperature": 1, "seed": 3,
    ])
  }

  @Test func addresses() async throws {
    let server = try await TestServer()
    for path in [
      "/health", "/v1/health", "/readyz", "/v1/models", "/models", "/v1/models/test", "/props?model=test",
    ] {
      #expect(try await server.ask("GET", path).status == 200, "\(path)")
      let head = try await server.ask("HEAD", path)
      #expect(head.status == 200 && head.body.isEmpty)
      let wrong = try await server.ask("POST", path, body: "{}")
      #expect(wrong.status == 405)
      #expect(wrong.value("allow") == "GET, HEAD, OPTIONS")
    }
    #expect(try await server.ask("GET", "/v1/chat/completions").value("allow") == "POST, OPTIONS")
    let options = try await server.ask("OPTIONS", "/v1/chat/completions")
    #expect(options.status == 204 && options.value("allow") == "POST, OPTIONS")
    #expect(options.headers.allSatisfy { !$0.name.hasPrefix("access-control") })
    for path in [
      "/v1/models/other", "/nothing", "//health", "/health/", "/%68ealth", "/v1/../health", "/api/none",
    ] {
      #expect(try await server.ask("GET", path).status == 404, "\(path)")
    }
    let model = try #require(
      (await server.ask("GET", "/v1/models").object()["data"] as? [[String: Any]])?.first)
    #expect(model["id"] as? String == "test")
    #expect(model["aliases"] as? [String] == ["nano-mha-q4"])
    #expect((model["architecture"] as? [String: Any])?["input_modalities"] as? [String] == ["text", "image"])
    #expect((model["meta"] as? [String: Any])?["n_ctx"] as? Int == server.engine.contextLength)
    #expect(try await server.ask("GET", "/health", host: "attacker.example").status == 403)
    #expect(
      try await server.ask("GET", "/health", headers: ["Origin: http://attacker.example"]).status == 403)
  }

  /// The page runs its own script and style, which the policy names by their hashes, and nothing else.
  @Test func page() async throws {
    let server = try await TestServer(access: AccessRules(keys: ["sesame"]))
    let browser = ["Accept: text/html,application/xhtml+xml,*/*;q=0.8"]
    let page = try await server.ask("GET", "/", headers: browser)
    #expect(page.status == 200)
    #expect(page.value("content-type") == "text/html; charset=utf-8")
    #expect(page.value("x-content-type-options") == "nosniff")
    #expect(page.value("referrer-policy") == "no-referrer")
    #expect(page.value("cache-control") == "no-cache")
    let policy = try #require(page.value("content-security-policy"))
    for (directive, element) in [("script-src", "script"), ("style-src", "style")] {
      let open = try #require(page.text.range(of: "<\(element)[^>]*>", options: .regularExpression))
      let close = try #require(page.text.range(of: "</\(element)>"))
      let digest = Array(page.text[open.upperBound..<close.lowerBound].utf8).withUnsafeBytes(
        sha256Hexadecimal)
      let bytes = Data(
        try stride(from: 0, to: 64, by: 2).map { try #require(UInt8(hex(digest, $0), radix: 16)) })
      #expect(policy.contains("\(directive) 'sha256-\(bytes.base64EncodedString())'"))
    }
    for part in ["default-src 'none'", "frame-ancestors 'none'", "connect-src 'self'", "base-uri 'none'"] {
      #expect(policy.contains(part))
    }
    #expect(!policy.contains("unsafe"))
    let head = try await server.ask("HEAD", "/", headers: browser)
    #expect(head.status == 200 && head.body.isEmpty)
    #expect(head.value("content-security-policy") == policy)
  }

  private func hex(_ digest: String, _ place: Int) -> String { String(digest.dropFirst(place).prefix(2)) }

  /// A model that knows little says so where models are listed; others have no such line.
  @Test func notice() async throws {
    for isPocket in [true, false] {
      let server = try await TestServer(pocket: isPocket)
      let model = try #require(
        (await server.ask("GET", "/v1/models").object()["data"] as? [[String: Any]])?.first)
      #expect(model["description"] as? String == server.engine.demonstrationNotice)
      #expect((model["description"] != nil) == isPocket)
    }
  }

  @Test func contentTypes() async throws {
    let server = try await TestServer()
    let body = try jsonText(["messages": messages("a"), "max_tokens": 1])
    func status(_ headers: [String]) async throws -> Int {
      try await server.ask("POST", "/v1/chat/completions", headers: headers, body: body).status
    }
    #expect(try await status(["Content-Type: application/json; charset=utf-8"]) == 200)
    #expect(try await status(["Content-Type: application/x-www-form-urlencoded"]) == 200)
    #expect(
      try await status(["Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: cross-site"])
        == 415)
    #expect(try await status(["Content-Type: text/plain"]) == 415)
    #expect(try await status(["Content-Type: application/json", "Content-Type: text/plain"]) == 415)
    #expect(try await status(["Content-Encoding: gzip"]) == 415)
  }

  /// Without a key nobody learns what is there, and no body is read.
  @Test func keys() async throws {
    let server = try await TestServer(access: AccessRules(keys: ["sesame"]))
    for (method, path) in [
      ("GET", "/v1/models"), ("GET", "/nothing"), ("POST", "/completions"), ("GET", "/api/tags"),
    ] {
      let reply = try await server.ask(method, path, body: method == "POST" ? "{}" : nil)
      #expect(reply.status == 401, "\(path)")
      #expect(reply.value("www-authenticate") == "Bearer")
    }
    #expect(try await server.ask("GET", "/nothing", headers: ["Authorization: Bearer sesame"]).status == 404)
    #expect(
      try await server.ask("GET", "/v1/models", headers: ["Authorization: Bearer sesame"]).status == 200)
    for path in ["/", "/health", "/sw.js", "/manifest.webmanifest"] {
      #expect(try await server.ask("GET", path).status == 200)
    }
    let connection = try await server.connect()
    let (status, isClosed) = try await offTasks {
      connection.request(
        "POST", "/v1/chat/completions",
        headers: ["Content-Type: application/json", "Content-Length: 30000000"])
      return (try connection.reply()?.status, try connection.isClosed())
    }
    #expect(status == 401 && isClosed)
  }

  @Test func whileLoading() async throws {
    let server = try Server(access: AccessRules(), limits: AskingLimits()) { _ in }
    let listener = try Listener(address: .loopback, port: 0, limits: .patient, service: server)
    defer { listener.stop() }
    let replies = try await offTasks {
      let connection = try HTTPConnection(port: listener.port)
      return try ["/health", "/readyz", "/v1/models", "/", "/api/version", "/metrics"].map { path in
        connection.request("GET", path)
        return try connection.reply()?.status
      }
    }
    #expect(replies == [503, 503, 503, 200, 200, 200])
  }

  /// One is answered, some wait, more are refused with the time to come back; whoever leaves makes room.
  @Test func queue() async throws {
    var limits = AskingLimits()
    limits.waiting = 2
    limits.deadline = 1000
    let server = try await TestServer(slow: true, limits: limits)
    // Nothing is answered before everything is looked at, however busy the machine is.
    let isHeld = Monitor(true)
    defer { isHeld.change { $0 = false } }
    server.engine.countPromptTokens(of: Question("a")) { _ in isHeld.wait { $0 ? nil : () } }
    var connections = try await [server.connect(), server.connect(), server.connect()]
    let body = try long()
    for connection in connections { connection.request("POST", "/v1/chat/completions", body: body) }
    #expect(try await server.comesToWaiting(3))
    let refused = try await server.ask("POST", "/v1/chat/completions", body: body)
    #expect(refused.status == 429)
    let seconds = try #require(refused.value("retry-after").flatMap { Int($0) })
    #expect((1...60).contains(seconds))
    #expect((try refused.object()["error"] as? [String: Any])?["type"] as? String == "rate_limit_error")
    #expect(
      try await server.ask("POST", "/api/generate", body: "{\"model\":\"test\",\"prompt\":\"a\"}").status
        == 429)
    isHeld.change { $0 = false }
    try await offTasks { [first = connections[0]] in try first.wait(for: 100) }
    // One that waits leaves, and the one at work.
    connections.removeLast()
    connections.removeFirst()
    try await offTasks { [last = connections[0]] in try last.wait(for: 400) }
    connections = []
    #expect(try await server.becomesIdle())
    #expect(server.listener.answering == 0)
  }

  /// Without a queue, whoever asks one question after the other is never refused.
  @Test func oneAfterTheOther() async throws {
    var limits = AskingLimits()
    limits.waiting = 0
    let server = try await TestServer(limits: limits)
    let port = server.listener.port
    let bodies = try [false, true].map {
      try jsonText(["messages": messages("a"), "max_tokens": 1, "stream": $0])
    }
    let statuses = try await offTasks {
      let connection = try HTTPConnection(port: port)
      return try (0..<100).map { number in
        connection.request("POST", "/v1/chat/completions", body: number % 3 == 2 ? "{" : bodies[number % 2])
        return try connection.reply()?.status
      }
    }
    for (number, status) in statuses.enumerated() { #expect(status == (number % 3 == 2 ? 400 : 200)) }
  }

  /// What is not written when the time is over is left out.
  @Test func deadline() async throws {
    var limits = AskingLimits()
    limits.deadline = 2
    let server = try await TestServer(slow: true, limits: limits)
    let begin = ContinuousClock.now
    let reply = try await server.ask("POST", "/v1/chat/completions", body: try long(stream: false))
    let took = (ContinuousClock.now - begin) / .seconds(1)
    #expect(reply.status == 200)
    let choice = try #require((reply.object()["choices"] as? [[String: Any]])?.first)
    #expect(choice["finish_reason"] as? String == "length")
    #expect(took > 1.5)
    #expect(try await server.logs("/v1/chat/completions: time_limit"))
    // Those whose turn does not come in time learn that, and when to come back.
    let body = try long(stream: false)
    let replies = try await withThrowingTaskGroup(of: HTTPReply.self) { group in
      for _ in 0..<4 { group.addTask { try await server.ask("POST", "/v1/chat/completions", body: body) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(replies.contains { $0.status == 200 })
    for reply in replies where reply.status != 200 {
      #expect(reply.status == 503 && reply.value("retry-after") != nil, "\(reply.text)")
    }
  }

  /// A model that cannot be read is not the client's fault: it learns no path, the log does.
  @Test func brokenModel() async throws {
    let path = NSTemporaryDirectory() + "vl2-broken-\(UUID().uuidString).vl2q"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try PackedModels.copy("nano-mha", to: path)
    let server = try await TestServer(path: path)
    let body: [String: Any] = ["messages": messages("a"), "max_tokens": 2]
    #expect(try await server.post("/v1/chat/completions", body).status == 200)
    try write(try bytes(of: path).prefix(5000), to: path)
    let reply = try await server.post("/v1/chat/completions", body)
    #expect(reply.status == 500)
    #expect(!reply.text.contains("vl2-broken"))
    #expect(reply.value("x-should-retry") == "false")
    #expect(try await server.logs(path))
    try PackedModels.copy("nano-mha", to: path)
    #expect(try await server.post("/v1/chat/completions", body).status == 200)
  }

  /// `detail: low` is one tile.
  @Test func detail() async throws {
    let server = try await TestServer()
    func tokens(_ detail: String) async throws -> Int? {
      let image: [String: Any] = [
        "type": "image_url", "image_url": ["url": try dataURL("wide.jpg"), "detail": detail],
      ]
      let body: [String: Any] = ["messages": [["role": "user", "content": [image]]]]
      return try await server.post("/v1/chat/completions/input_tokens", body).object()["input_tokens"] as? Int
    }
    let (low, high) = (try await tokens("low"), try await tokens("high"))
    #expect(low ?? 0 > 0 && low ?? 0 < high ?? 0)
  }

  /// At the end the answer at work is finished, those that wait are sent away, and new ones are refused.
  @Test func ending() async throws {
    var limits = AskingLimits()
    limits.deadline = 10
    let server = try await TestServer(slow: true, limits: limits)
    let port = server.listener.port
    // It goes on until its time is over.
    let body = try long()
    let (statuses, last) = try await offTasks {
      let working = try HTTPConnection(port: port)
      working.request("POST", "/v1/chat/completions", body: body)
      try working.wait(for: 100)
      let waiting = try HTTPConnection(port: port)
      waiting.request("POST", "/v1/chat/completions", body: body)
      let idle = try HTTPConnection(port: port)
      idle.request("GET", "/health")
      _ = try idle.reply()
      server.server.close()
      server.listener.stopAccepting()
      idle.request("POST", "/v1/chat/completions", body: body)
      return ([try waiting.reply()?.status, try idle.reply()?.status], try working.reply()?.events.last)
    }
    #expect(statuses == [503, 503])
    #expect(last == "[DONE]")
    #expect(try await server.becomesIdle())
  }

  /// Who is still answered at the very end is told that the answer is not complete.
  @Test func endingAtOnce() async throws {
    let server = try await TestServer(slow: true)
    let port = server.listener.port
    let bodies = [try long(), try long(stream: false)]
    let replies = try await offTasks {
      let working = try HTTPConnection(port: port)
      working.request("POST", "/v1/chat/completions", body: bodies[0])
      try working.wait(for: 100)
      let waiting = try HTTPConnection(port: port)
      waiting.request("POST", "/v1/chat/completions", body: bodies[1])
      while server.listener.answering < 2 { Thread.sleep(forTimeInterval: 0.01) }
      server.server.close()
      server.server.cancel()
      return [try working.reply(), try waiting.reply()]
    }
    #expect(replies[0]?.events.last?.contains("\"message\":\"the server ends\"") == true)
    #expect(replies[1]?.status == 503)
    #expect(try await server.becomesIdle())
  }

  /// Streams that are cut at random places leave nothing behind.
  @Test func departures() async throws {
    let server = try await TestServer()
    let body = try long()
    var random = SplitMix64(seed: 9)
    for round in 0..<60 {
      let wait = Int(random.next() % 40)
      let port = server.listener.port
      try await offTasks {
        let connection = try HTTPConnection(port: port)
        switch round % 4 {
        case 0:
          connection.send(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        default: connection.request("POST", "/v1/chat/completions", body: body)
        }
        Thread.sleep(forTimeInterval: Double(wait) / 1000)
        if round % 4 == 1 { connection.reset() }
        if round % 4 == 2 { connection.halfClose() }
      }
      #expect(try await server.becomesIdle())
    }
    let honest = try await server.ask(
      "POST", "/v1/chat/completions", body: try jsonText(["messages": messages("a"), "max_tokens": 2]))
    #expect(honest.status == 200)
  }
}

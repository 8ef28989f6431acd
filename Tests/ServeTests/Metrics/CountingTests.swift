import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Run
import VL2Serve

/// Every request is counted once, however it ends, and has one line in the log.
@Suite struct CountingTests {
  private static let chat = "/v1/chat/completions"

  /// The samples of `/metrics` by name and labels.
  private func figures(_ server: TestServer, key: String? = nil) async throws -> [String: Double] {
    let reply = try await server.ask(
      "GET", "/metrics", headers: key.map { ["Authorization: Bearer \($0)"] } ?? [])
    #expect(reply.status == 200)
    #expect(reply.value("content-type") == "text/plain; version=0.0.4; charset=utf-8")
    var samples: [String: Double] = [:]
    for line in reply.text.split(separator: "\n") where !line.hasPrefix("#") {
      let end = try #require(line.lastIndex(of: " "))
      let name = String(line[..<end])
      #expect(samples[name] == nil, "\(name) is there twice")
      let value = try #require(Double(line[end...].dropFirst()), "\(line)")
      samples[name] = value
    }
    return samples
  }

  /// What has changed of the counters that count requests and answers, without those of `/metrics` itself.
  private func changes(
    _ server: TestServer, since before: [String: Double], key: String? = nil
  ) async throws -> [String: Int] {
    try await figures(server, key: key).reduce(into: [:]) { changes, sample in
      let isCount =
        ["vl2_http_requests_total", "vl2_http_unreadable", "vl2_answers_total"].contains {
          sample.key.hasPrefix($0)
        } && !sample.key.contains("/metrics")
      let change = Int(sample.value - (before[sample.key] ?? 0))
      if isCount, change != 0 { changes[sample.key] = change }
    }
  }

  /// Waits until the counters have changed by so much, and then whether they stay there.
  private func expect(
    _ expected: [String: Int], _ server: TestServer, since before: [String: Double], key: String? = nil,
    _ comment: Comment
  ) async throws {
    try await TestPatience.sleep { try await changes(server, since: before, key: key) == expected }
    try await Task.sleep(for: .milliseconds(50))
    #expect(try await changes(server, since: before, key: key) == expected, comment)
  }

  private func requests(_ route: String, _ status: Int) -> String {
    "vl2_http_requests_total{route=\"\(route)\",status=\"\(status)\"}"
  }

  private func answers(_ outcome: String, _ route: String = chat) -> String {
    "vl2_answers_total{route=\"\(route)\",outcome=\"\(outcome)\"}"
  }

  private let unreadable = "vl2_http_unreadable_requests_total"

  /// A question that does not end by itself before it is caught.
  private func long(stream: Bool) throws -> String {
    try jsonText([
      "messages": messages(String(repeating: "a ", count: 100)), "max_tokens": 5000, "stream": stream,
      "temperature": 1, "seed": 3,
    ])
  }

  /// Requests as bytes, after which the client leaves or waits for the end of the connection.
  @Test func refusedAndCut() async throws {
    let server = try await TestServer(access: AccessRules(keys: ["sesame"]))
    let host = "Host: 127.0.0.1\r\n"
    let key = "Authorization: Bearer sesame\r\n"
    func post(_ head: String, _ body: String = "") -> String {
      "POST \(Self.chat) HTTP/1.1\r\n\(host)\(key)Content-Type: application/json\r\n\(head)\r\n\(body)"
    }
    let cases: [(String, String, leaves: Bool, [String: Int])] = [
      ("health", "GET /health HTTP/1.1\r\n\(host)\r\n", false, [requests("/health", 200): 1]),
      ("another path of it", "HEAD /v1/health HTTP/1.1\r\n\(host)\r\n", false, [requests("/health", 200): 1]),
      ("no key", "GET /v1/models HTTP/1.1\r\n\(host)\r\n", false, [requests("/v1/models", 401): 1]),
      (
        "a model's name", "GET /v1/models/x\"y HTTP/1.1\r\n\(host)\(key)\r\n", false,
        [requests("/v1/models/{model}", 404): 1]
      ),
      ("no such address", "GET /a/b HTTP/1.1\r\n\(host)\(key)\r\n", false, [requests("other", 404): 1]),
      ("a wrong method", "FOO /props HTTP/1.1\r\n\(host)\(key)\r\n", false, [requests("/props", 405): 1]),
      ("a foreign host", "GET / HTTP/1.1\r\nHost: attacker.example\r\n\r\n", false, [requests("/", 403): 1]),
      (
        "no JSON", post("Content-Length: 1\r\n", "{"), false,
        [requests(Self.chat, 400): 1, answers("refused"): 1]
      ),
      (
        "two lengths", post("Content-Length: 4\r\nContent-Length: 4\r\n", "abcd"), false,
        [requests(Self.chat, 400): 1]
      ),
      ("a body too large", post("Content-Length: 900000000\r\n"), false, [requests(Self.chat, 413): 1]),
      ("half a body", post("Content-Length: 100\r\n", "{"), true, [requests(Self.chat, 499): 1]),
      (
        "three at once", String(repeating: "GET /health HTTP/1.1\r\n\(host)\r\n", count: 3), false,
        [requests("/health", 200): 3]
      ),
      ("half a head", "GET /health HTTP/1.1\r\nHost", true, [unreadable: 1]),
      (
        "a head too large", "GET / HTTP/1.1\r\n\(host)X: \(String(repeating: "a", count: 40_000))\r\n\r\n",
        false,
        [unreadable: 1]
      ),
      ("a byte of zero", "GET /health HTTP/1.1\r\nHost: 127.0.0.1\0.a\r\n\r\n", false, [unreadable: 1]),
      ("a header without a name", "GET /health HTTP/1.1\r\n\(host): a\r\n\r\n", false, [unreadable: 1]),
      ("no host", "GET /health HTTP/1.1\r\n\r\n", false, [unreadable: 1]),
      ("no number", post("Content-Length: +4\r\n", "abcd"), false, [unreadable: 1]),
      ("nothing", "", true, [:]),
    ]
    let port = server.listener.port
    for (name, bytes, leaves, expected) in cases {
      let before = try await figures(server, key: "sesame")
      try await offTasks {
        let connection = try HTTPConnection(port: port)
        connection.send(bytes)
        if leaves {
          Thread.sleep(forTimeInterval: 0.05)
        } else {
          // Some are refused by the end of the connection.
          for _ in 0..<(expected.values.max() ?? 0) {
            _ = try? connection.reply(isHead: bytes.hasPrefix("HEAD"))
          }
        }
      }
      try await expect(expected, server, since: before, key: "sesame", "\(name)")
    }
    #expect(try await figures(server, key: "sesame")["vl2_http_connections"] == 1)
    // What a client wrote is short, and quoted; nothing tells a key.
    #expect(try await server.logs("127.0.0.1 GET \"/a/b\": 404 in 0."))
    #expect(try await server.logs("127.0.0.1 \"FOO\" /props: 405 in 0."))
    #expect(try await server.logs("127.0.0.1 GET /v1/models: 401 in 0."))
    #expect(try await server.logs("127.0.0.1 POST \(Self.chat): 499 in 0."))
    #expect(try await server.logs("127.0.0.1: a request that cannot be read"))
    #expect(!server.log.lines.contains("sesame") && !server.log.lines.contains("x\"y"))
    #expect(!server.log.lines.contains("health: 200") && !server.log.lines.contains("metrics"))
  }

  @Test func metricsNeedAKey() async throws {
    let server = try await TestServer(access: AccessRules(keys: ["sesame"]))
    #expect(try await server.ask("GET", "/metrics").status == 401)
    #expect(
      try await server.ask("POST", "/metrics", headers: ["X-Api-Key: sesame"], body: "{}").status == 405)
    let head = try await server.ask("HEAD", "/metrics", headers: ["X-Api-Key: sesame"])
    #expect(head.status == 200 && head.body.isEmpty)
  }

  /// Answers that come to their end: the figures are right when the client has the answer.
  @Test func answered() async throws {
    let server = try await TestServer(pocket: true)
    let before = try await figures(server)
    let picture = "data:;base64," + Data(try bytes(of: Fixtures.pocket + "/demo.png")).base64EncodedString()
    let asked: [String: Any] = ["messages": messages("What is in the picture?", [picture])]
    var usage: [String: Int] = [:]
    for _ in 0..<3 {
      let reply = try await server.post(Self.chat, asked)
      for (name, value) in try #require(reply.object()["usage"] as? [String: Any]) {
        usage[name, default: 0] += value as? Int ?? 0
      }
    }
    let short = try await server.post(Self.chat, asked.merging(["max_tokens": 1]) { $1 })
    let shortUsage = try #require(short.object()["usage"] as? [String: Any])
    let after = try await figures(server)
    func change(_ name: String) -> Int { Int((after[name] ?? -1) - (before[name] ?? 0)) }
    #expect(change(requests(Self.chat, 200)) == 4)
    #expect(change(answers("complete")) == 3)
    #expect(change(answers("max_tokens")) == 1)
    #expect(
      change("vl2_tokens_total{kind=\"read\"}") + change("vl2_tokens_total{kind=\"cached\"}")
        == (usage["prompt_tokens"] ?? -1) + (shortUsage["prompt_tokens"] as? Int ?? -1))
    #expect(change("vl2_tokens_total{kind=\"written\"}") == (usage["completion_tokens"] ?? -1) + 1)
    #expect(change("vl2_pictures_total") == 4)
    // The first question's picture and words were kept.
    #expect(change("vl2_answer_stage_seconds_count{stage=\"vision\"}") == 1)
    #expect(change("vl2_kept_lookups_total{kind=\"picture\",result=\"miss\"}") == 1)
    #expect(change("vl2_kept_lookups_total{kind=\"conversation\",result=\"hit\"}") == 3)
    #expect(after["vl2_kept_bytes"] ?? 0 > 0)
    for name in ["vl2_answer_seconds", "vl2_answer_first_word_seconds"] {
      #expect(change(name + "_count") == 4)
      #expect(change(name + "_bucket{le=\"+Inf\"}") == 4)
    }
    for stage in ["queued", "prefill", "decode"] {
      #expect(change("vl2_answer_stage_seconds_count{stage=\"\(stage)\"}") == 4, "\(stage)")
    }
    for state in ["waiting", "working"] { #expect(after["vl2_questions{state=\"\(state)\"}"] == 0) }
    #expect(after["vl2_model_info{model=\"test\",code=\"Q4\"}"] == 1)
    #expect(after["vl2_build_info{version=\"\(packageVersion)\"}"] == 1)
    #expect(after["process_resident_memory_bytes"] ?? 0 > 1e6)
    let started = try #require(after["process_start_time_seconds"])
    #expect(abs(started - Date().timeIntervalSince1970) < 3600 * 10)
  }

  /// Questions that do not come to their end: cut while they are written, left while they wait, refused.
  @Test func cutAndRefused() async throws {
    var limits = TestServer.patient
    limits.waiting = 1
    let server = try await TestServer(slow: true, limits: limits)
    let before = try await figures(server)
    let (streamed, whole) = (try long(stream: true), try long(stream: false))
    var working: HTTPConnection? = try await server.connect()
    working?.request("POST", Self.chat, body: streamed)
    try await offTasks { [working] in try working?.wait(for: 100) }
    var waiting: HTTPConnection? = try await server.connect()
    waiting?.request("POST", Self.chat, body: whole)
    func gauges(_ wanted: (waiting: Double, working: Double)) async throws {
      var figures = try await figures(server)
      try await TestPatience.sleep {
        figures = try await self.figures(server)
        return figures["vl2_questions{state=\"waiting\"}"] == wanted.waiting
          && figures["vl2_questions{state=\"working\"}"] == wanted.working
      }
      #expect(figures["vl2_questions{state=\"waiting\"}"] == wanted.waiting)
      #expect(figures["vl2_questions{state=\"working\"}"] == wanted.working)
    }
    try await gauges((1, 1))
    // What the engine does is seen before the answer ends.
    try await TestPatience.sleep { server.engine.figures.expertsWanted > 0 }
    let busy = server.engine.figures
    #expect(busy.expertsWanted > 0 && busy.slots?.misses ?? 0 > 0 && busy.slots?.bytesRead ?? 0 > 0)
    try await gauges((1, 1))
    #expect(try await server.ask("POST", Self.chat, body: whole).status == 429)
    waiting = nil
    try await expect(
      [
        requests(Self.chat, 429): 1, requests(Self.chat, 499): 1, answers("busy"): 1, answers("cancelled"): 1,
      ],
      server, since: before, "left while it waited")
    try await gauges((0, 1))
    working?.reset()
    working = nil
    try await expect(
      [
        requests(Self.chat, 429): 1, requests(Self.chat, 499): 1, requests(Self.chat, 200): 1,
        answers("busy"): 1, answers("cancelled"): 2,
      ], server, since: before, "cut while it was written")
    try await gauges((0, 0))
    #expect(try await server.becomesIdle())
    #expect(try await figures(server)["vl2_silence_seconds"] == 0)
    #expect(try await server.logs("127.0.0.1 POST \(Self.chat): 429 in 0."))
    let lines = server.log.lines.split(separator: "\n")
    #expect(lines.count { $0.contains(": cancelled, 0 pictures") } == 2, "\(lines)")
    #expect(lines.count == 3, "\(lines)")
    #expect(lines.count { $0.contains("; 499 in ") } == 1 && lines.count { $0.contains("; 200 in ") } == 1)
  }

  /// A question whose time is over before its turn.
  @Test func late() async throws {
    var limits = AskingLimits()
    limits.deadline = 2
    let server = try await TestServer(slow: true, limits: limits)
    let before = try await figures(server)
    let body = try long(stream: false)
    let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<4 { group.addTask { try await server.ask("POST", Self.chat, body: body).status } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let (told, sent) = (statuses.count { $0 == 200 }, statuses.count { $0 == 503 })
    #expect(told + sent == 4 && told > 0 && sent > 0)
    try await expect(
      [
        requests(Self.chat, 200): told, requests(Self.chat, 503): sent, answers("time_limit"): told,
        answers("late"): sent,
      ], server, since: before, "late")
  }
}

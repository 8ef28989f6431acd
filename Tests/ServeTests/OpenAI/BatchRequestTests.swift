import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Run
import VL2Serve

/// Requests of a batch, held against the same ones over HTTP.
@Suite struct BatchRequestTests {
  private func line(_ text: String, longest: Int = 1 << 20) throws -> LineReader.Line {
    try withTemporaryFolder { folder in
      try write((text + "\n").utf8, to: folder + "/line")
      let descriptor = open(folder + "/line", O_RDONLY)
      defer { close(descriptor) }
      return try #require(try LineReader(Descriptor(descriptor), longest: longest).next())
    }
  }

  private func request(_ body: [String: Any]) throws -> BatchRequest {
    let text = try jsonText(
      ["custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": body])
    return BatchRequest(try line(text), mostBytes: 1 << 20)
  }

  /// Chosen once, so that answers can be compared.
  private let name = String(repeating: "0123456789abcdef", count: 4)

  private func reply(_ body: [String: Any], _ server: TestServer) async throws -> BatchRequest.Reply {
    try await request(body).reply(
      name: name, earlier: nil, model: try ServedModel(server.engine, aliases: ["test"]),
      limits: TestServer.patient
    ) { try await server.engine.answer($0).answer() }
  }

  /// Everything that does not tell one answer from others.
  private func content(_ object: [String: Any]) throws -> String {
    var object = object
    for key in ["id", "created", "usage", "timings"] { object[key] = nil }
    let data = try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
    return String(decoding: data, as: UTF8.self)
  }

  /// One reader of requests and one writer of answers: the same fields, values and errors.
  @Test func asTheServer() async throws {
    let server = try await TestServer()
    let small = try dataURL("small.png")
    let bodies: [[String: Any]] = [
      ["model": "test", "messages": messages("Tell", [small]), "max_tokens": 9],
      [
        "messages": messages("go"), "max_completion_tokens": 12, "logprobs": true, "top_logprobs": 3,
        "stop": ["a"],
      ],
      ["messages": messages("go"), "max_tokens": 12, "temperature": 0.7, "seed": 5, "top_p": 0.9],
      [
        "messages": messages("go"), "max_tokens": 40,
        "response_format": ["type": "json_schema", "json_schema": ["schema": ["type": "integer"]]],
      ],
      ["messages": messages("it", [small]), "ground": true, "max_tokens": 9],
      ["messages": []], ["messages": messages("go"), "n": 2], ["model": "other", "messages": messages("go")],
      ["messages": messages("go", ["http://example.org/a.jpg"])],
      ["messages": messages("go", ["data:image/png;base64,AAAA"])],
      ["messages": messages("go", ["photo.jpg"])],
      ["messages": messages(String(repeating: "word ", count: 5000))],
    ]
    for body in bodies {
      let told = try await server.post("/v1/chat/completions", body)
      let reply = try await reply(body, server)
      #expect(reply.status == told.status)
      let object = try jsonObject(String(decoding: reply.body.json, as: UTF8.self))
      #expect(try content(object) == content(try told.object()), "\(body.keys)")
      let (mine, its) = (object["usage"] as? [String: Any], try told.object()["usage"] as? [String: Any])
      for key in ["prompt_tokens", "completion_tokens", "total_tokens"] {
        #expect(mine?[key] as? Int == its?[key] as? Int)
      }
      if told.status == 200 {
        #expect(object["id"] as? String == "chatcmpl-" + name.prefix(24) && object["created"] as? Int == 0)
      }
    }
  }

  /// The same bytes whatever was asked before, and with a seed that nobody gave.
  @Test func sameBytes() async throws {
    let server = try await TestServer()
    let first = try await reply(["messages": messages("go"), "max_tokens": 9], server)
    let said = try #require(
      first.body.member("choices").flatMap { choices -> JSONValue? in
        if case .array(let list) = choices { list.first?.member("message")?.member("content") } else { nil }
      })
    guard case .string(let text) = said else { return #expect(Bool(false), "\(said)") }
    // The answer comes back as text: read as its tokens, the prompt could be another one.
    let talk: [[String: Any]] =
      messages("go") + [["role": "assistant", "content": String(decoding: text, as: UTF8.self)]]
      + messages("on")
    let bodies: [[String: Any]] = [
      ["messages": talk, "max_tokens": 9],
      ["messages": messages("go", [try dataURL("small.png")]), "max_tokens": 9, "timings_per_token": true],
      ["messages": messages("go"), "max_tokens": 20, "temperature": 1],
    ]
    let other = try await TestServer()
    for body in bodies {
      let replies = [
        try await reply(body, server), try await reply(body, server), try await reply(body, other),
      ]
      #expect(replies.allSatisfy { $0.status == 200 })
      #expect(Set(replies.map { $0.body.json }).count == 1)
      #expect(replies[0].body.member("timings") == nil)
    }
    // Another line has another seed.
    let one = try await reply(bodies[2], server)
    let next = try await request(bodies[2]).reply(
      name: String(name.reversed()), earlier: nil, model: try ServedModel(server.engine, aliases: ["test"]),
      limits: TestServer.patient
    ) { try await server.engine.answer($0).answer() }
    #expect(one.body.member("choices") != next.body.member("choices"))
  }

  /// What is wrong with a line, as its answer says it.
  @Test func wrongLines() async throws {
    let server = try await TestServer()
    let model = try ServedModel(server.engine, aliases: ["test"])
    let body = try jsonText(["messages": messages("go"), "max_tokens": 1])
    func begin(_ id: String) -> String {
      "{\"custom_id\":\(id),\"method\":\"POST\",\"url\":\"/v1/chat/completions\""
    }
    for (text, id, status, part) in [
      ("no JSON", nil, 400, "byte 0"), ("{\"a\":1", nil, 400, "the line is no JSON text"),
      ("[1]", nil, 400, "the request: is an array; give an object"),
      (String(repeating: "[", count: 1000), nil, 400, "nested more than"),
      (begin("null") + ",\"body\":\(body)}", nil, 400, "custom_id: is missing"),
      (begin("7") + ",\"body\":\(body)}", nil, 400, "custom_id: is 7"),
      (begin("\"\"") + ",\"body\":\(body)}", nil, 400, "custom_id"),
      (begin("\"" + String(repeating: "i", count: 513) + "\"") + ",\"body\":\(body)}", nil, 400, "custom_id"),
      (begin("\"a\"") + "}", "a", 400, "body: is missing"),
      (begin("\"a\"") + ",\"body\":[]}", "a", 400, "is an array; give an object"),
      (begin("\"a\"").replacing("POST", with: "GET") + ",\"body\":\(body)}", "a", 400, "method: is \"GET\""),
      (
        begin("\"a\"").replacing("chat/completions", with: "embeddings") + ",\"body\":\(body)}", "a", 400,
        "url: is \"/v1/embeddings\""
      ),
      (
        begin("\"a\"") + ",\"body\":" + body.replacing("\"max_tokens\":1", with: "\"stream\":true") + "}",
        "a", 400,
        "stream: a batch has no streams"
      ),
      (String(repeating: " ", count: 2000), nil, 413, "the line is over 0 MiB"),
    ] as [(String, String?, Int, String)] {
      let request = BatchRequest(try line(text, longest: 1500), mostBytes: 1500)
      let reply = try await request.reply(
        name: name, earlier: nil, model: model, limits: TestServer.patient
      ) { _ in throw CancellationError() }
      let object = try jsonObject(String(decoding: request.line(reply, name: name).json, as: UTF8.self))
      #expect(request.customID == id && object["custom_id"] as? String == id, "\(text.prefix(90))")
      #expect(object["error"] is NSNull && object["id"] as? String == "batch_req_" + name.prefix(24))
      let response = try #require(object["response"] as? [String: Any])
      #expect(response["status_code"] as? Int == status, "\(text.prefix(90))")
      let error = try #require((response["body"] as? [String: Any])?["error"] as? [String: Any])
      #expect((error["message"] as? String)?.contains(part) == true, "\(error)")
    }
    // One that says nothing of the request is no answer.
    await #expect(throws: CancellationError.self) {
      try await request(["messages": messages("go")]).reply(
        name: name, earlier: nil, model: model, limits: TestServer.patient
      ) { _ in throw CancellationError() }
    }
  }
}

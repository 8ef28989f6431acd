import Foundation
import TestSupport
import Testing
import VL2Run
import VL2Serve

/// Ollama's addresses.
@Suite struct OllamaTests {
  private func lines(_ reply: HTTPReply) throws -> [[String: Any]] {
    try reply.text.split(separator: "\n").map { try jsonObject(String($0)) }
  }

  @Test func models() async throws {
    let server = try await TestServer(aliases: ["pocket"])
    #expect(try await server.ask("GET", "/").text == "Ollama is running")
    #expect(try await server.ask("GET", "/", headers: ["Accept: */*"]).text == "Ollama is running")
    #expect(try await server.ask("HEAD", "/").status == 200)
    #expect(try await server.ask("GET", "/api/version").object()["version"] is String)
    for address in ["/api/tags", "/api/ps"] {
      let model = try #require(
        (await server.ask("GET", address).object()["models"] as? [[String: Any]])?.first)
      #expect(model["name"] as? String == "pocket:latest")
      #expect(model["model"] as? String == "pocket:latest")
      #expect((model["digest"] as? String)?.count == 64)
    }
    let tags = try await server.ask("GET", "/api/tags").object()
    let time = try #require((tags["models"] as? [[String: Any]])?.first?["modified_at"] as? String)
    #expect(ISO8601DateFormatter().date(from: time) != nil)
    for body in [["model": "pocket"], ["name": "pocket:latest"], ["model": "nano-mha-q4"]] {
      let shown = try await server.post("/api/show", body).object()
      #expect(shown["capabilities"] as? [String] == ["completion", "vision"])
      #expect(shown["error"] == nil)
      #expect(try await server.post("/api/pull", body).text == "{\"status\":\"success\"}\n")
    }
    for address in ["/api/show", "/api/pull", "/api/chat", "/api/generate"] {
      let reply = try await server.post(address, ["model": "other", "messages": messages("a")])
      #expect(reply.status == 404)
      #expect(try reply.object()["error"] is String)
      #expect(try await server.post(address, [:]).status == 400)
    }
  }

  /// An answer goes on from the assistant's text at the end.
  @Test func goesOn() async throws {
    let server = try await TestServer()
    let body: [String: Any] = [
      "model": "test", "stream": false, "options": ["num_predict": 5],
      "messages": [
        ["role": "user", "content": "What is it?"], ["role": "assistant", "content": "It is"],
      ],
    ]
    let question = Question([.user("What is it?"), .assistant("It is")], maxTokens: 5)
    let expected = try await server.engine.answer(question).answer().text
    let object = try await server.post("/api/chat", body).object()
    #expect((object["message"] as? [String: Any])?["content"] as? String == expected)
  }

  /// What transparent pictures are laid on is for the server to say.
  @Test func backgrounds() async throws {
    let picture = try bytes(of: Fixtures.path("pictures/black-on-clear.png"))
    for background in [Background.white, .dropped] {
      var limits = TestServer.patient
      limits.pictures.background = background
      let server = try await TestServer(limits: limits)
      let body: [String: Any] = [
        "model": "test", "stream": false, "options": ["num_predict": 12], "prompt": "What is it?",
        "images": [Data(picture).base64EncodedString()],
      ]
      let question = Question(
        "What is it?", pictures: [try Picture(data: picture, name: "x.png", background: background)],
        maxTokens: 12)
      let expected = try await server.engine.answer(question).answer().text
      #expect(try await server.post("/api/generate", body).object()["response"] as? String == expected)
    }
  }

  @Test func chat() async throws {
    let server = try await TestServer(pocket: true, aliases: ["pocket"])
    let demo = Data(try bytes(of: Fixtures.pocket + "/demo.png")).base64EncodedString()
    let question = "What is in the picture?"
    // As Home Assistant's and LLM Vision's libraries write it.
    var body: [String: Any] = [
      "model": "pocket:latest", "messages": [["role": "user", "content": question, "images": [demo]]],
      "tools": [],
      "options": ["num_ctx": 8192, "temperature": 0, "num_predict": 50.0], "keep_alive": -1.0, "think": false,
      "format": NSNull(), "images": [demo], "prompt": [], "system": "",
    ]
    let streamed = try await server.post("/api/chat", body)
    #expect(streamed.value("content-type") == "application/x-ndjson")
    let pieces = try lines(streamed)
    #expect(
      pieces.compactMap { ($0["message"] as? [String: Any])?["content"] as? String }.joined() == "a red star")
    #expect(pieces.dropLast().allSatisfy { $0["done"] as? Bool == false })
    let last = try #require(pieces.last)
    #expect(last["done"] as? Bool == true)
    #expect(last["done_reason"] as? String == "stop")
    #expect(last["eval_count"] as? Int == 3)
    #expect((last["total_duration"] as? Int ?? 0) > 0)
    body["stream"] = false
    body["messages"] = [["role": "user", "content": question]]
    let whole = try await server.post("/api/chat", body).object()
    #expect((whole["message"] as? [String: Any])?["content"] as? String == "a red star")
    // Pictures at both places are looked at once.
    #expect(whole["prompt_eval_count"] as? Int == last["prompt_eval_count"] as? Int)
  }

  @Test func generate() async throws {
    let server = try await TestServer(pocket: true, aliases: ["pocket"])
    let demo = Data(try bytes(of: Fixtures.pocket + "/demo.png")).base64EncodedString()
    let body: [String: Any] = [
      "model": "pocket", "prompt": "What is in the picture?", "images": [demo], "stream": false,
    ]
    #expect(try await server.post("/api/generate", body).object()["response"] as? String == "a red star")
    let schema: [String: Any] = [
      "type": "object", "properties": ["shape": ["type": "string", "maxLength": 20]], "required": ["shape"],
    ]
    for format in [schema, "json"] as [Any] {
      let reply = try await server.post("/api/generate", body.merging(["format": format]) { $1 }).object()
      #expect(throws: Never.self) { try jsonObject(reply["response"] as? String ?? "") }
    }
    #expect(try await server.post("/api/generate", body.merging(["format": 5]) { $1 }).status == 400)
    // Nothing asked: the model is loaded, which it is.
    let loaded = try lines(await server.post("/api/generate", ["model": "pocket"]))
    #expect(loaded.count == 1 && loaded[0]["done"] as? Bool == true)
    #expect(try lines(await server.post("/api/chat", ["model": "pocket", "messages": []])).count == 1)
    let short = try await server.post(
      "/api/generate", ["model": "pocket", "prompt": "a", "options": ["num_predict": 2], "stream": false]
    ).object()
    #expect(short["eval_count"] as? Int ?? 9 <= 2)
  }
}

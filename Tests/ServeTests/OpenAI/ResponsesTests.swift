import Foundation
import TestModels
import TestSupport
import Testing
import VL2Run
import VL2Serve

/// `/v1/responses`.
@Suite struct ResponsesTests {
  @Test func picture() async throws {
    let server = try await TestServer(pocket: true, aliases: [])
    let demo = "data:;base64," + Data(try bytes(of: Fixtures.pocket + "/demo.png")).base64EncodedString()
    let input = user([image(demo), ["type": "input_text", "text": "What is in the picture?"]])
    let reply = try await server.post("/v1/responses", ["input": input])
    #expect(reply.status == 200)
    #expect(reply.value("content-type") == "application/json")
    let response = try reply.object()
    #expect((response["id"] as? String)?.hasPrefix("resp_") == true)
    #expect(response["object"] as? String == "response")
    #expect(response["model"] as? String == "pocket-q4")
    #expect(response["status"] as? String == "completed")
    #expect(response["error"] is NSNull && response["incomplete_details"] is NSNull)
    let items = try #require(response["output"] as? [[String: Any]])
    #expect(items.count == 1)
    #expect((items[0]["id"] as? String)?.hasPrefix("msg_") == true)
    #expect(items[0]["type"] as? String == "message" && items[0]["role"] as? String == "assistant")
    #expect(items[0]["status"] as? String == "completed")
    let part = try #require((items[0]["content"] as? [[String: Any]])?.first)
    #expect(part["type"] as? String == "output_text" && part["text"] as? String == "a red star")
    let usage = try #require(response["usage"] as? [String: Any])
    #expect(usage["output_tokens"] as? Int == 3)
    #expect(usage["total_tokens"] as? Int == 3 + (usage["input_tokens"] as? Int ?? 0))
    // The same picture is found, streamed and not, with boxes as text and as fields.
    for isStreamed in [false, true] {
      let found = try await server.post(
        "/responses",
        ["input": user([image(demo), text("the red star")]), "ground": true, "stream": isStreamed])
      let response = try isStreamed ? responseAtEnd(eventObjects(found)) : found.object()
      let item = try #require((response["output"] as? [[String: Any]])?.first)
      #expect((item["boxes"] as? [[String: Any]])?.first?["label"] as? String == "the red star")
      #expect(
        ((item["content"] as? [[String: Any]])?.first?["text"] as? String)?.contains("<|det|>[[") == true)
    }
    #expect(
      !server.log.lines.contains("star") && server.log.lines.contains("/v1/responses: complete, 1 pictures"))
  }

  /// The same answer whole and as events, whose order, numbers and fields clients depend on.
  @Test func streamed() async throws {
    let server = try await TestServer()
    var body: [String: Any] = [
      "model": "test", "input": user([text("Tell"), image(try dataURL("small.png"))]),
      "max_output_tokens": 20,
      "temperature": 0.7, "seed": 5, "top_p": 0.9, "store": true, "user": NSNull(), "tools": [],
      "previous_response_id": NSNull(), "background": false,
    ]
    let whole = try await server.post("/v1/responses", body).object()
    #expect(whole["status"] as? String == "incomplete")
    #expect((whole["incomplete_details"] as? [String: Any])?["reason"] as? String == "max_output_tokens")
    body["stream"] = true
    let reply = try await server.post("/v1/responses", body)
    #expect(reply.value("content-type") == "text/event-stream")
    let events = try eventObjects(reply)
    var kinds = events.compactMap { $0["type"] as? String }
    let deltas = events.filter { $0["type"] as? String == "response.output_text.delta" }
    kinds.removeAll { $0 == "response.output_text.delta" }
    #expect(
      kinds == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.incomplete",
      ])
    #expect(events[3]["type"] as? String == "response.content_part.added")
    let item = try #require(events[2]["item"] as? [String: Any])
    #expect(item["status"] as? String == "in_progress" && (item["content"] as? [Any])?.isEmpty == true)
    for event in events[3..<(events.count - 2)] {
      #expect(event["item_id"] as? String == item["id"] as? String)
      #expect(event["output_index"] as? Int == 0 && event["content_index"] as? Int == 0)
    }
    let written = deltas.compactMap { $0["delta"] as? String }.joined()
    let told = try responseAtEnd(events)
    #expect(written == outputText(whole) && written == outputText(told) && !written.isEmpty)
    #expect(events[events.count - 4]["text"] as? String == written)
    for name in [
      "status", "temperature", "top_p", "max_output_tokens", "incomplete_details", "tools", "store",
    ] {
      #expect((told[name] as? NSObject) == (whole[name] as? NSObject), "\(name)")
    }
    #expect((told["usage"] as? [String: Any])?["output_tokens"] as? Int == 20)
    #expect(told["store"] as? Bool == false && told["temperature"] as? Double == 0.7)
    let first = try #require(events[0]["response"] as? [String: Any])
    #expect(first["status"] as? String == "in_progress" && first["usage"] is NSNull)
    #expect(first["id"] as? String == told["id"] as? String)
    // A text that stops is whole.
    body["stop"] = String(try #require(written.first))
    let stopped = try responseAtEnd(try eventObjects(try await server.post("/v1/responses", body)))
    #expect(stopped["status"] as? String == "completed" && outputText(stopped) == "")
  }

  @Test func logProbabilities() async throws {
    let server = try await TestServer()
    var body: [String: Any] = [
      "input": "go", "max_output_tokens": 12, "include": ["message.output_text.logprobs"], "top_logprobs": 3,
    ]
    let whole = try await server.post("/v1/responses", body).object()
    let item = try #require((whole["output"] as? [[String: Any]])?.first)
    let part = try #require((item["content"] as? [[String: Any]])?.first)
    let tokens = try #require(part["logprobs"] as? [[String: Any]])
    #expect(tokens.count == 12 && whole["top_logprobs"] as? Int == 3)
    #expect(tokens.allSatisfy { ($0["top_logprobs"] as? [Any])?.count == 3 })
    body["stream"] = true
    let streamed = try eventObjects(try await server.post("/v1/responses", body))
      .filter { $0["type"] as? String == "response.output_text.delta" }
      .compactMap { $0["logprobs"] as? [[String: Any]] }.flatMap { $0 }
    #expect(streamed.map { $0["bytes"] as? [Int] } == tokens.map { $0["bytes"] as? [Int] })
  }

  /// A named function, or the only one that is required, is called; else there is an answer in text.
  @Test func tools() async throws {
    let server = try await TestServer()
    let tool: [String: Any] = [
      "type": "function", "name": "report", "strict": true,
      "parameters": ["type": "object", "properties": ["open": ["type": "boolean"]], "required": ["open"]],
    ]
    let search: [String: Any] = ["type": "web_search"]
    var body: [String: Any] = ["input": "go", "max_output_tokens": 40, "tools": [search, tool]]
    for choice in ["required", ["type": "function", "name": "report"]] as [Any] {
      body["tool_choice"] = choice
      for isStreamed in [false, true] {
        body["stream"] = isStreamed
        let reply = try await server.post("/v1/responses", body)
        let response = try isStreamed ? responseAtEnd(eventObjects(reply)) : reply.object()
        #expect(response["status"] as? String == "completed")
        let item = try #require((response["output"] as? [[String: Any]])?.first)
        #expect(item["type"] as? String == "function_call" && item["name"] as? String == "report")
        #expect((item["id"] as? String)?.hasPrefix("fc_") == true)
        #expect((item["call_id"] as? String)?.hasPrefix("call_") == true)
        let arguments = try #require(item["arguments"] as? String)
        #expect(try jsonObject(arguments)["open"] is Bool)
        guard isStreamed else { continue }
        let events = try eventObjects(reply)
        let kinds = events.compactMap { $0["type"] as? String }
        let deltas = events.filter { $0["type"] as? String == "response.function_call_arguments.delta" }
        #expect(deltas.compactMap { $0["delta"] as? String }.joined() == arguments)
        #expect(
          kinds.filter { $0 != "response.function_call_arguments.delta" } == [
            "response.created", "response.in_progress", "response.output_item.added",
            "response.function_call_arguments.done", "response.output_item.done", "response.completed",
          ])
        #expect((events[2]["item"] as? [String: Any])?["arguments"] as? String == "")
        #expect((events[2]["item"] as? [String: Any])?["call_id"] as? String == item["call_id"] as? String)
      }
    }
    for choice in ["auto", "none", NSNull()] as [Any] {
      body["tool_choice"] = choice
      body["stream"] = false
      let response = try await server.post("/v1/responses", body).object()
      #expect(!outputText(response).isEmpty)
    }
    let wrong: [(Any, Any, String)] = [
      ("required", [tool, tool], "tool_choice"), ("required", [search], "tools"),
      ("report", [tool], "tool_choice"), (["type": "function"], [tool], "tool_choice.name"),
      (["type": "function", "name": "other"], [tool], "tool_choice"),
      ("required", [["type": "function"]], "tools[0].name"), ("auto", [5], "tools[0]"),
      (NSNull(), 5, "tools"),
    ]
    for (choice, tools, parameter) in wrong {
      body["tool_choice"] = choice
      body["tools"] = tools
      let reply = try await server.post("/v1/responses", body)
      #expect(reply.status == 400, "\(choice) \(tools)")
      #expect((try reply.object()["error"] as? [String: Any])?["param"] as? String == parameter)
    }
  }

  @Test func formats() async throws {
    let server = try await TestServer()
    func answer(_ format: [String: Any], tokens: Int = 60) async throws -> HTTPReply {
      try await server.post(
        "/v1/responses", ["input": "go", "max_output_tokens": tokens, "text": ["format": format]])
    }
    let schema: [String: Any] = ["const": "x", "strict": true]
    let kept = try await answer(["type": "json_schema", "name": "a", "strict": true, "schema": schema])
      .object()
    #expect(outputText(kept) == "\"x\"")
    #expect(((kept["text"] as? [String: Any])?["format"] as? [String: Any])?["name"] as? String == "a")
    let object = try await answer(["type": "json_object"]).object()
    #expect(throws: Never.self) { try jsonObject(outputText(object)) }
    #expect(try await answer(["type": "text"]).status == 200)
    let wrong: [([String: Any], String)] = [
      (["type": "sound"], "text.format.type"), ([:], "text.format.type"),
      (["type": "json_schema", "name": "a"], "text.format.schema"),
      (["type": "json_schema", "name": "a", "schema": ["type": 123]], "text.format.schema"),
    ]
    for (format, parameter) in wrong {
      let reply = try await answer(format, tokens: 0)
      #expect(reply.status == 400, "\(format)")
      #expect((try reply.object()["error"] as? [String: Any])?["param"] as? String == parameter)
    }
  }

  /// What is said becomes the same prompt as what is said in the other dialect.
  @Test func sameAsChat() async throws {
    let server = try await TestServer()
    let (one, two) = (try dataURL("small.png"), try dataURL("grey.jpg"))
    func chat(_ messages: [[String: Any]]) async throws -> String {
      let reply = try await server.post("/v1/chat/completions", ["messages": messages, "max_tokens": 8])
      let choice = try (reply.object()["choices"] as? [[String: Any]])?.first
      return try #require((choice?["message"] as? [String: Any])?["content"] as? String)
    }
    func count(_ path: String, _ body: [String: Any]) async throws -> Int {
      try #require(try await server.post(path + "/input_tokens", body).object()["input_tokens"] as? Int)
    }
    func said(_ role: String, _ content: Any) -> [String: Any] { ["role": role, "content": content] }
    let call: [String: Any] = [
      "type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{\"at\":1}",
    ]
    let chatCall: [String: Any] = [
      "role": "assistant", "content": NSNull(),
      "tool_calls": [
        ["id": "call_1", "type": "function", "function": ["name": "look", "arguments": "{\"at\":1}"]]
      ],
    ]
    let picture: [String: Any] = ["type": "image_url", "image_url": ["url": one, "detail": "low"]]
    let cases: [([String: Any], [[String: Any]])] = [
      (["input": "go on"], [said("user", "go on")]),
      (
        ["input": "go on", "instructions": "Be brief."], [said("system", "Be brief."), said("user", "go on")]
      ),
      (
        [
          "input": [
            ["type": "message", "role": "developer", "content": [text("Be brief.")]], said("user", "go"),
          ]
        ],
        [said("developer", "Be brief."), said("user", "go")]
      ),
      (
        ["input": user([["type": "input_image", "image_url": one, "detail": "low"], text("What?")])],
        [said("user", [picture, ["type": "text", "text": "What?"]])]
      ),
      (
        [
          "input": user([
            text("What?"), ["type": "input_image", "image_url": ["url": one, "detail": "low"]],
          ])
        ],
        [said("user", [picture, ["type": "text", "text": "What?"]])]
      ),
      (
        [
          "input": [
            said("user", "a"),
            [
              "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
              "content": [["type": "output_text", "text": "b", "annotations": [], "logprobs": []]],
            ], said("user", "c"),
          ]
        ], [said("user", "a"), said("assistant", "b"), said("user", "c")]
      ),
      (
        [
          "input": [
            said("user", "a"), ["type": "reasoning", "id": "rs_1", "summary": []], call,
            ["type": "function_call_output", "call_id": "call_1", "output": "{\"b\":2}"],
          ]
        ], [said("user", "a"), chatCall, ["role": "tool", "tool_call_id": "call_1", "content": "{\"b\":2}"]]
      ),
      // What was said and called at once is one turn.
      (
        ["input": [said("user", "a"), said("assistant", "I look."), call, said("user", "c")]],
        [said("user", "a"), said("assistant", "I look.\n{\"at\":1}"), said("user", "c")]
      ),
      // A function may give a picture.
      (
        [
          "input": [
            said("user", "a"), call,
            ["type": "function_call_output", "call_id": "call_1", "output": [text("Here:"), image(two)]],
          ]
        ],
        [
          said("user", "a"), said("assistant", "{\"at\":1}"),
          said(
            "user", [["type": "text", "text": "Here:"], ["type": "image_url", "image_url": ["url": two]]]),
        ]
      ),
    ]
    for (body, messages) in cases {
      #expect(
        try await count("/v1/responses", body) == count("/v1/chat/completions", ["messages": messages]),
        "\(messages)")
      let response = try await server.post("/v1/responses", body.merging(["max_output_tokens": 8]) { $1 })
      #expect(try await outputText(response.object()) == chat(messages), "\(messages)")
    }
  }

  /// Each fault is told with its place.
  @Test func faults() async throws {
    let server = try await TestServer()
    func part(_ part: [String: Any]) -> [String: Any] { ["input": user([text("a"), part])] }
    let place = "input[0].content[1]"
    let good = try dataURL("small.png")
    let cases: [([String: Any], Int, String?)] = [
      ([:], 400, "input"), (["input": NSNull()], 400, "input"), (["input": 5], 400, "input"),
      (["input": []], 400, "input"), (["input": [5]], 400, "input[0]"),
      (["input": [[:]]], 400, "input[0].role"),
      (["input": [["role": "robot", "content": "a"]]], 400, "input[0].role"),
      (["input": [["role": "user"]]], 400, "input[0].content"),
      (["input": [["type": "item_reference", "id": "msg_1"]]], 400, "input[0].type"),
      (["input": [["type": "function_call", "name": "a"]]], 400, "input[0].arguments"),
      (["input": [["type": "function_call_output"]]], 400, "input[0].output"),
      (["input": [["type": "reasoning"]]], 400, nil),
      (["input": "a", "instructions": 5], 400, "instructions"),
      (["input": "a", "previous_response_id": "resp_1"], 400, "previous_response_id"),
      (["input": "a", "conversation": "conv_1"], 400, "conversation"),
      (["input": "a", "conversation": ["id": "conv_1"]], 400, "conversation"),
      (["input": "a", "prompt": ["id": "pmpt_1"]], 400, "prompt"),
      (["input": "a", "background": true], 400, "background"),
      (["input": "a", "temperature": -1], 400, "temperature"),
      (["input": "a", "max_output_tokens": 1.5], 400, "max_output_tokens"),
      (["input": "a", "text": "json"], 400, "text"), (["input": "a", "stream": "yes"], 400, "stream"),
      (["input": "a", "model": "other"], 404, "model"),
      (part(image("http://example.org/a.png")), 400, place), (part(image("/etc/passwd")), 400, place),
      (part(image("data:image/png;base64,aGVsbG8=")), 400, place),
      (part(["type": "input_image", "file_id": "file-1"]), 400, place),
      (part(["type": "input_image"]), 400, "\(place).image_url"),
      (part(["type": "input_image", "image_url": good, "detail": "some"]), 400, "\(place).detail"),
      (part(["type": "input_file", "file_id": "file-1"]), 400, "\(place).type"),
      (part(["type": "input_audio"]), 400, "\(place).type"),
      (
        ["input": [["role": "system", "content": [image(good)]]]], 400, "input[0].content[0].type"
      ),
    ]
    for (body, status, parameter) in cases {
      for isStreamed in [false, true] {
        let reply = try await server.post(
          "/v1/responses", body.merging(["stream": isStreamed]) { old, _ in old })
        let error = try #require(reply.object()["error"] as? [String: Any])
        #expect(reply.status == status, "\(body)")
        #expect(error["param"] as? String == parameter, "\(body): \(error)")
        #expect((error["message"] as? String)?.isEmpty == false)
      }
    }
    let long = try await server.post("/v1/responses", ["input": String(repeating: "word ", count: 20_000)])
    let error = try #require(long.object()["error"] as? [String: Any])
    #expect(error["type"] as? String == "exceed_context_size_error" && error["param"] as? String == "input")
    #expect(try await server.ask("GET", "/v1/responses").status == 405)
    #expect(try await server.ask("GET", "/v1/responses/resp_1").status == 404)
    #expect(try await server.becomesIdle())
  }

  /// An answer that fails after its first word says so in its stream, twice: some clients look for one event, some for the other.
  @Test func failure() async throws {
    let server = try await TestServer(slow: true)
    let body = try jsonText([
      "input": String(repeating: "a ", count: 100), "stream": true, "max_output_tokens": 5000,
      "temperature": 1,
      "seed": 3, "instructions": "Be long.",
    ])
    let port = server.listener.port
    let reply = try await offTasks {
      let connection = try HTTPConnection(port: port)
      connection.request("POST", "/v1/responses", body: body)
      try connection.wait(for: 4000)
      server.server.cancel()
      return try connection.reply()
    }
    let events = try eventObjects(try #require(reply))
    #expect(events.contains { $0["type"] as? String == "response.output_text.delta" })
    #expect(events.suffix(2).map { $0["type"] as? String } == ["error", "response.failed"])
    let error = try #require(events[events.count - 2]["error"] as? [String: Any])
    #expect(error["message"] as? String == "the server ends")
    #expect(events[events.count - 2]["message"] as? String == "the server ends")
    let response = try responseAtEnd(events)
    #expect(response["status"] as? String == "failed" && response["instructions"] as? String == "Be long.")
    #expect((response["error"] as? [String: Any])?["code"] as? String == "server_error")
    #expect(try await server.becomesIdle())
  }
}

private func text(_ text: String) -> [String: Any] { ["type": "input_text", "text": text] }

private func image(_ url: String) -> [String: Any] { ["type": "input_image", "image_url": url] }

private func user(_ content: [[String: Any]]) -> [[String: Any]] { [["role": "user", "content": content]] }

/// The events of a stream. Each has its type at both places, and they are numbered without gaps.
private func eventObjects(_ reply: HTTPReply) throws -> [[String: Any]] {
  let blocks = reply.text.split(separator: "\n\n").filter { !$0.hasPrefix(":") }
  return try blocks.enumerated().map { index, block in
    let lines = block.split(separator: "\n")
    try #require(lines.count == 2 && lines[0].hasPrefix("event: ") && lines[1].hasPrefix("data: "))
    let event = try jsonObject(String(lines[1].dropFirst(6)))
    #expect(event["type"] as? String == String(lines[0].dropFirst(7)))
    #expect(event["sequence_number"] as? Int == index)
    return event
  }
}

private func responseAtEnd(_ events: [[String: Any]]) throws -> [String: Any] {
  try #require(events.last?["response"] as? [String: Any])
}

/// The text of an answer; empty for one that calls a function.
private func outputText(_ response: [String: Any]) -> String {
  let items = response["output"] as? [[String: Any]] ?? []
  return items.compactMap { $0["content"] as? [[String: Any]] }.flatMap { $0 }.compactMap {
    $0["text"] as? String
  }
  .joined()
}

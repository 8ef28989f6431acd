import Glibc
import VL2Base
import VL2Run

/// An answer in the form of `/v1/responses`, whole or as server-sent events.
///
/// An answer has one item, a message or the call of a function. Its events are numbered: those that begin it are there
/// before the first word, so that counting goes on after them.
struct ResponsesFormat: AnswerFormat {
  private let id = "resp_" + randomName(24)
  private let itemID: String
  private let callID = "call_" + randomName(24)
  private let created = Int(time(nil))
  private let model: String
  private let function: String?
  private let boxed: Picture?
  private let settings: [(String, JSONValue)]
  /// The number of the next event.
  private var number = 2
  private var hasItem = false

  /// - Parameters:
  ///   - function: the function that the answer calls.
  ///   - boxed: the picture that boxes refer to.
  ///   - settings: what the answer repeats of the request, each value under its name.
  init(model: String, function: String?, boxed: Picture?, settings: [(String, JSONValue)]) {
    self.model = model
    self.function = function
    self.boxed = boxed
    self.settings = settings
    itemID = (function == nil ? "msg_" : "fc_") + randomName(24)
  }

  // MARK: whole

  func response(_ answer: Answer) -> HTTPResponse { HTTPResponse(json: body(answer)) }

  func response(_ error: RequestError) -> HTTPResponse { Self.named(error).openAIResponse }

  // MARK: streamed

  var streamHead: HTTPResponse {
    let body = body(status: "in_progress", output: [])
    return HTTPResponse(
      streamOf: "text/event-stream",
      begin: Self.event("response.created", number: 0, [("response", body)])
        + Self.event("response.in_progress", number: 1, [("response", body)]))
  }

  mutating func piece(_ event: AnswerEvent) -> [UInt8] {
    guard case .text(let text, let probabilities) = event, !text.isEmpty || !probabilities.isEmpty else {
      return []
    }
    let begin = beginItem()
    if function != nil {
      return begin + self.event("response.function_call_arguments.delta", [("delta", .text(text))])
    }
    return begin
      + self.event(
        "response.output_text.delta",
        [("content_index", 0), ("delta", .text(text)), ("logprobs", probabilities.openAI)])
  }

  func end(_ answer: Answer) -> [UInt8] {
    var format = self
    return format.rest(answer)
  }

  private mutating func rest(_ answer: Answer) -> [UInt8] {
    var events = beginItem()
    if let function {
      events += event(
        "response.function_call_arguments.done",
        [("name", .text(function)), ("arguments", .text(answer.text))])
    } else {
      events += event(
        "response.output_text.done",
        [("content_index", 0), ("text", .text(answer.text)), ("logprobs", answer.probabilities.openAI)])
      events += event("response.content_part.done", [("content_index", 0), ("part", part(answer))])
    }
    events += event("response.output_item.done", of: item(answer))
    return events
      + Self.event("response.\(Self.status(answer))", number: number, [("response", body(answer))])
  }

  /// As OpenAI's servers tell it: `error`, which its clients raise, then the end of the answer.
  func failure(_ error: RequestError) -> [UInt8] {
    let told = Self.named(error).openAI.member("error") ?? .null
    let members = ["message", "code", "param"].map { ($0, told.member($0) ?? .null) }
    return Self.event("error", number: number, members + [("error", told)])
      + Self.event(
        "response.failed", number: number + 1,
        [("response", body(status: "failed", output: [], error: error))])
  }

  var sign: [UInt8]? { Array(": at work\n\n".utf8) }

  private mutating func beginItem() -> [UInt8] {
    if hasItem { return [] }
    hasItem = true
    let begin = event("response.output_item.added", of: item(nil))
    if function != nil { return begin }
    return begin + event("response.content_part.added", [("content_index", 0), ("part", part(nil))])
  }

  /// An event about the item.
  private mutating func event(
    _ type: String, of item: JSONValue? = nil, _ members: [(String, JSONValue)] = []
  )
    -> [UInt8]
  {
    defer { number += 1 }
    let place: [(String, JSONValue)] = [item.map { ("item", $0) } ?? ("item_id", .text(itemID))]
    return Self.event(type, number: number, [("output_index", 0)] + place + members)
  }

  private static func event(_ type: String, number: Int, _ members: [(String, JSONValue)]) -> [UInt8] {
    var value: JSONValue = ["type": .text(type), "sequence_number": .integer(number)]
    for (name, member) in members { value.append(name, member) }
    return Array("event: \(type)\ndata: ".utf8) + value.json + Array("\n\n".utf8)
  }

  // MARK: parts

  private func body(_ answer: Answer) -> JSONValue {
    body(status: Self.status(answer), output: [item(answer)], usage: usage(answer))
  }

  private func body(
    status: String, output: [JSONValue], usage: JSONValue = .null, error: RequestError? = nil
  ) -> JSONValue {
    let isComplete = status == "completed"
    var body: JSONValue = [
      "id": .text(id), "object": "response", "created_at": .integer(created),
      "completed_at": isComplete ? .integer(Int(time(nil))) : .null, "status": .text(status),
      "model": .text(model), "output": .array(output), "usage": usage, "error": Self.told(error),
      "incomplete_details": status == "incomplete" ? ["reason": "max_output_tokens"] : .null,
    ]
    for (name, value) in settings { body.append(name, value) }
    // What is the same for every answer of this server; clients expect to find it.
    let constants: [(String, JSONValue)] = [
      ("background", false), ("store", false), ("previous_response_id", nil), ("metadata", [:]),
      ("parallel_tool_calls", false), ("max_tool_calls", nil), ("truncation", "disabled"),
      ("presence_penalty", 0), ("frequency_penalty", 0), ("reasoning", ["effort": nil, "summary": nil]),
      ("service_tier", "default"), ("prompt_cache_key", nil), ("safety_identifier", nil), ("user", nil),
    ]
    for (name, value) in constants { body.append(name, value) }
    return body
  }

  /// - Parameter answer: nil while it is written.
  private func item(_ answer: Answer?) -> JSONValue {
    var item: JSONValue = [
      "id": .text(itemID), "type": function == nil ? "message" : "function_call",
      "status": .text(answer.map(Self.status) ?? "in_progress"),
    ]
    if let function {
      item.append("call_id", .text(callID))
      item.append("name", .text(function))
      item.append("arguments", .text(answer?.text ?? ""))
      return item
    }
    item.append("role", "assistant")
    item.append("content", answer.map { [part($0)] } ?? [])
    if let spans = answer?.grounding.spans, !spans.isEmpty { item.append("boxes", spans.json(boxed)) }
    return item
  }

  private func part(_ answer: Answer?) -> JSONValue {
    [
      "type": "output_text", "text": .text(answer?.text ?? ""), "annotations": [],
      "logprobs": (answer?.probabilities ?? []).openAI,
    ]
  }

  private static func status(_ answer: Answer) -> String {
    switch answer.ending {
    case .complete, .stop: "completed"
    case .maxTokens, .context, .loop, .timeLimit, .cancelled, .failed: "incomplete"
    }
  }

  private func usage(_ answer: Answer) -> JSONValue {
    let counts = answer.counts
    return [
      "input_tokens": .integer(counts.promptTokens),
      "input_tokens_details": ["cached_tokens": .integer(counts.cachedTokens), "cache_write_tokens": 0],
      "output_tokens": .integer(counts.writtenTokens), "output_tokens_details": ["reasoning_tokens": 0],
      "total_tokens": .integer(counts.promptTokens + counts.writtenTokens),
    ]
  }

  /// The error of an answer that failed. Its codes are a list of OpenAI's.
  private static func told(_ error: RequestError?) -> JSONValue {
    guard let error else { return .null }
    let code =
      error.status == 429 ? "rate_limit_exceeded" : error.status < 500 ? "invalid_prompt" : "server_error"
    return ["code": .text(code), "message": .text(error.message)]
  }

  /// The same error, with the name that this dialect has for what is said.
  private static func named(_ error: RequestError) -> RequestError {
    var error = error
    if error.parameter == "messages" { error.parameter = "input" }
    return error
  }
}

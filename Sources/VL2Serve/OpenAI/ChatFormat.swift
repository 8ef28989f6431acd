import Glibc
import VL2Base
import VL2Run

/// An answer in the form of `/v1/chat/completions`, whole or as server-sent events.
struct ChatFormat: AnswerFormat {
  var hasProbabilities = false
  /// Whether a stream ends with the numbers of tokens.
  var tellsUsage = false
  /// Whether speeds are told (llama.cpp's `timings_per_token`).
  var tellsTimings = false
  /// Whether a stream tells how much of the prompt is read (llama.cpp's `return_progress`).
  var tellsProgress = false

  /// Whether it is told how many tokens of the prompt had been read before.
  var tellsCache = true
  var id = "chatcmpl-" + randomName(24)
  var callID = "call_" + randomName(24)
  /// In seconds since 1970.
  var created = Int(time(nil))

  private let model: String
  private let function: String?
  private let boxed: Picture?
  private let begin = ContinuousClock.now
  private var hasNamedFunction = false
  private var promptTokens = 0
  private var processed = -1

  /// - Parameters:
  ///   - function: the function that the answer calls.
  ///   - boxed: the picture that boxes refer to.
  init(model: String, function: String?, boxed: Picture?) {
    self.model = model
    self.function = function
    self.boxed = boxed
  }

  /// Tells answers of different builds apart. It begins with b, as llama.cpp's does.
  static let fingerprint = "b-vl2-" + packageVersion

  // MARK: whole

  func response(_ answer: Answer) -> HTTPResponse { HTTPResponse(json: body(answer)) }

  /// The body of the response.
  func body(_ answer: Answer) -> JSONValue {
    var message: JSONValue = ["role": "assistant", "content": function == nil ? .text(answer.text) : .null]
    message.append("refusal", .null)
    if let function { message.append("tool_calls", [call(function, arguments: answer.text)]) }
    if !answer.grounding.spans.isEmpty { message.append("boxes", boxes(answer.grounding.spans)) }
    var choice: JSONValue = ["index": 0, "message": message, "finish_reason": .text(finishReason(answer))]
    choice.append("logprobs", logProbabilities(answer.probabilities))
    var body = head("chat.completion", choices: [choice])
    body.append("usage", usage(answer))
    if tellsTimings { body.append("timings", timings(answer)) }
    return body
  }

  func response(_ error: RequestError) -> HTTPResponse { error.openAIResponse }

  // MARK: streamed

  var streamHead: HTTPResponse {
    HTTPResponse(streamOf: "text/event-stream", begin: chunk(["role": "assistant", "content": nil]))
  }

  mutating func piece(_ event: AnswerEvent) -> [UInt8] {
    switch event {
    case .planned(let plan, _):
      promptTokens = plan.promptTokens
      return []
    case .reading(let tokens, let all):
      return progress(promptTokens - all + tokens, cached: promptTokens - all)
    case .text(let text, let probabilities):
      return delta(text).map { chunk($0, probabilities: probabilities) } ?? []
    case .boxes(let spans): return chunk(["boxes": boxes(spans)])
    case .queued, .looking, .done: return []
    }
  }

  func end(_ answer: Answer) -> [UInt8] {
    var last = head(
      "chat.completion.chunk", choices: [choice([:], finishReason: .text(finishReason(answer)))])
    if tellsTimings, !tellsUsage { last.append("timings", timings(answer)) }
    var text = Self.event(last)
    if tellsUsage {
      var count = head("chat.completion.chunk", choices: [])
      count.append("usage", usage(answer))
      if tellsTimings { count.append("timings", timings(answer)) }
      text += Self.event(count)
    }
    return text + Array("data: [DONE]\n\n".utf8)
  }

  func failure(_ error: RequestError) -> [UInt8] { Self.event(error.openAI) }

  var sign: [UInt8]? { Array(": at work\n\n".utf8) }

  private static func event(_ value: JSONValue) -> [UInt8] {
    Array("data: ".utf8) + value.json + Array("\n\n".utf8)
  }

  private func chunk(_ delta: JSONValue, probabilities: [TokenProbability] = []) -> [UInt8] {
    Self.event(head("chat.completion.chunk", choices: [choice(delta, finishReason: .null, probabilities)]))
  }

  /// `finish_reason` is there in every chunk: some clients take its absence for the end, others an empty text.
  private func choice(_ delta: JSONValue, finishReason: JSONValue, _ probabilities: [TokenProbability] = [])
    -> JSONValue
  {
    ["index": 0, "delta": delta, "logprobs": logProbabilities(probabilities), "finish_reason": finishReason]
  }

  private mutating func delta(_ text: String) -> JSONValue? {
    guard let function else { return ["content": .text(text)] }
    if text.isEmpty { return nil }
    defer { hasNamedFunction = true }
    var call: JSONValue =
      hasNamedFunction ? ["function": ["arguments": .text(text)]] : self.call(function, arguments: text)
    call.append("index", 0)
    return ["tool_calls": [call]]
  }

  /// The first report is of what had been read before, also where the engine was faster than whoever tells of it.
  private mutating func progress(_ processed: Int, cached: Int) -> [UInt8] {
    guard tellsProgress, processed > self.processed else { return [] }
    let isFirst = self.processed < 0
    self.processed = processed
    let reports = isFirst && processed > cached ? [cached, processed] : [processed]
    return reports.flatMap { processed in
      var value = head("chat.completion.chunk", choices: [choice([:], finishReason: .null)])
      value.append(
        "prompt_progress",
        [
          "total": .integer(promptTokens), "cache": .integer(cached), "processed": .integer(processed),
          "time_ms": .integer(Int((ContinuousClock.now - begin) / .milliseconds(1))),
        ])
      return Self.event(value)
    }
  }

  // MARK: parts

  private func head(_ object: String, choices: [JSONValue]) -> JSONValue {
    [
      "id": .text(id), "object": .text(object), "created": .integer(created), "model": .text(model),
      "system_fingerprint": .text(Self.fingerprint), "choices": .array(choices),
    ]
  }

  private func call(_ name: String, arguments: String) -> JSONValue {
    [
      "id": .text(callID), "type": "function",
      "function": ["name": .text(name), "arguments": .text(arguments)],
    ]
  }

  private func finishReason(_ answer: Answer) -> String {
    switch answer.ending {
    case .complete, .stop: function == nil ? "stop" : "tool_calls"
    case .maxTokens, .context, .loop, .timeLimit, .cancelled, .failed: "length"
    }
  }

  private func usage(_ answer: Answer) -> JSONValue {
    let counts = answer.counts
    var usage: JSONValue = [
      "prompt_tokens": .integer(counts.promptTokens), "completion_tokens": .integer(counts.writtenTokens),
      "total_tokens": .integer(counts.promptTokens + counts.writtenTokens),
    ]
    if tellsCache {
      usage.append("prompt_tokens_details", ["cached_tokens": .integer(counts.cachedTokens)])
    }
    return usage
  }

  private func timings(_ answer: Answer) -> JSONValue {
    let counts = answer.counts
    func rate(_ count: Int, _ seconds: Double) -> JSONValue {
      seconds > 0 ? .real(Double(count) / seconds) : 0
    }
    let read = counts.seconds.tiling + counts.seconds.vision + counts.seconds.prefill
    return [
      "cache_n": .integer(counts.cachedTokens), "prompt_n": .integer(counts.readTokens),
      "prompt_ms": .real(1000 * read),
      "prompt_per_second": rate(counts.readTokens, read), "predicted_n": .integer(counts.writtenTokens),
      "predicted_ms": .real(1000 * counts.seconds.decode),
      "predicted_per_second": rate(counts.writtenTokens, counts.seconds.decode),
      "image_tiles": .integer(counts.tiles),
      "image_ms": .real(1000 * (counts.seconds.tiling + counts.seconds.vision)),
      "queued_ms": .real(1000 * counts.seconds.queued),
    ]
  }

  private func logProbabilities(_ tokens: [TokenProbability]) -> JSONValue {
    guard hasProbabilities else { return .null }
    return ["content": tokens.openAI, "refusal": nil]
  }

  private func boxes(_ spans: [GroundedSpan]) -> JSONValue { spans.json(boxed) }
}

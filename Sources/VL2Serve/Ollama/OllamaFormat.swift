import FoundationEssentials
import Glibc
import VL2Base
import VL2Run

/// An answer in the form of `/api/chat` or `/api/generate`, whole or as a JSON text on each line.
struct OllamaFormat: AnswerFormat {
  private let kind: OllamaRequest.Kind
  private let model: String
  private let boxed: Picture?
  private let begin = ContinuousClock.now

  /// - Parameter model: as the request called it.
  init(kind: OllamaRequest.Kind, model: String, boxed: Picture?) {
    self.kind = kind
    self.model = model
    self.boxed = boxed
  }

  /// What is answered where nothing is asked.
  func loaded(isStreamed: Bool) -> HTTPResponse {
    var value = message("", probabilities: [])
    value.append("done", true)
    value.append("done_reason", "load")
    if !isStreamed { return HTTPResponse(json: value) }
    var response = streamHead
    response.body = Self.line(value)
    return response
  }

  func response(_ answer: Answer) -> HTTPResponse {
    HTTPResponse(json: last(answer, text: answer.text, probabilities: answer.probabilities))
  }

  func response(_ error: RequestError) -> HTTPResponse { error.ollamaResponse }

  var streamHead: HTTPResponse { HTTPResponse(streamOf: "application/x-ndjson") }

  func piece(_ event: AnswerEvent) -> [UInt8] {
    guard case .text(let text, let probabilities) = event, !text.isEmpty || !probabilities.isEmpty else {
      return []
    }
    var value = message(text, probabilities: probabilities)
    value.append("done", false)
    return Self.line(value)
  }

  func end(_ answer: Answer) -> [UInt8] { Self.line(last(answer, text: "", probabilities: [])) }

  func failure(_ error: RequestError) -> [UInt8] { Self.line(error.ollama) }

  /// The lines of this dialect are all answers.
  var sign: [UInt8]? { nil }

  static func line(_ value: JSONValue) -> [UInt8] { value.json + [UInt8(ascii: "\n")] }

  private func message(_ text: String, probabilities: [TokenProbability]) -> JSONValue {
    var value: JSONValue = ["model": .text(model), "created_at": .text(Self.time(.now))]
    switch kind {
    case .chat: value.append("message", ["role": "assistant", "content": .text(text)])
    case .generate: value.append("response", .text(text))
    }
    if !probabilities.isEmpty {
      func told(_ candidate: TokenProbability.Candidate) -> JSONValue {
        [
          "token": .text(String(decoding: candidate.bytes, as: UTF8.self)),
          "logprob": .real(candidate.logProbability),
        ]
      }
      let list = probabilities.map { token in
        var value = told(token.written)
        value.append("top_logprobs", .array(token.likeliest.map(told)))
        return value
      }
      value.append("logprobs", .array(list))
    }
    return value
  }

  private func last(_ answer: Answer, text: String, probabilities: [TokenProbability]) -> JSONValue {
    let counts = answer.counts
    func nanoseconds(_ seconds: Double) -> JSONValue { .integer(Int(max(0, seconds) * 1e9)) }
    var value = message(text, probabilities: probabilities)
    if !answer.grounding.spans.isEmpty { value.append("boxes", answer.grounding.spans.json(boxed)) }
    value.append("done", true)
    value.append("done_reason", answer.ending == .complete || answer.ending == .stop ? "stop" : "length")
    value.append("total_duration", nanoseconds((ContinuousClock.now - begin) / .seconds(1)))
    value.append("load_duration", 0)
    value.append("prompt_eval_count", .integer(counts.promptTokens))
    value.append(
      "prompt_eval_duration",
      nanoseconds(counts.seconds.tiling + counts.seconds.vision + counts.seconds.prefill))
    value.append("eval_count", .integer(counts.writtenTokens))
    value.append("eval_duration", nanoseconds(counts.seconds.decode))
    return value
  }

  /// RFC 3339, in UTC.
  static func time(_ date: Date) -> String { date.formatted(.iso8601) }
}

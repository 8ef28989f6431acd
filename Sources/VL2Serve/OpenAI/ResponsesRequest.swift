import VL2Base
import VL2Run

/// A request to `/v1/responses`.
struct ResponsesRequest {
  var asked: Asked
  var format: ResponsesFormat

  /// - Throws: `RequestError`, `SchemaError`.
  init(_ request: RequestFields, model: ServedModel, limits: AskingLimits) throws {
    try model.check(try request.text("model"))
    try Self.refuseWhatIsKeptElsewhere(request)
    let shape = try AnswerShape(request, layout: .flat)
    let messages = try ChatMessages(input: request, limits: limits.pictures)
    asked = try Asked(
      messages, openAI: request, form: shape.form, mostTokens: "max_output_tokens", model: model,
      limits: limits)
    if try request.list("include")?.contains("message.output_text.logprobs") ?? false {
      asked.question.likeliestTokens = try request.integer("top_logprobs", in: 0...20) ?? 0
    }
    format = ResponsesFormat(
      model: model.name, function: shape.function, boxed: asked.boxed,
      settings: [
        ("instructions", request["instructions"] ?? .null),
        ("tools", .array(try request.list("tools") ?? [])),
        ("tool_choice", request["tool_choice"] ?? "auto"),
        ("text", request["text"] ?? ["format": ["type": "text"]]),
        ("max_output_tokens", request["max_output_tokens"] ?? .null),
        ("temperature", request["temperature"] ?? 0), ("top_p", request["top_p"] ?? 1),
        ("top_logprobs", .integer(asked.question.likeliestTokens ?? 0)),
      ])
  }

  /// OpenAI's servers keep conversations, prompts and answers for their clients. To go on without what a client means would
  /// answer another question than was asked.
  private static func refuseWhatIsKeptElsewhere(_ request: RequestFields) throws {
    for name in ["previous_response_id", "conversation", "prompt"] where request[name] != nil {
      throw RequestError.field(
        name, "nothing is kept here from one request to the next; send the whole conversation as input",
        code: "unsupported_parameter")
    }
    if try request.flag("background") ?? false {
      throw RequestError.field(
        "background", "answers are not kept for later; leave it out and read the answer, or its stream",
        code: "unsupported_parameter")
    }
  }
}

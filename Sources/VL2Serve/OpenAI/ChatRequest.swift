import VL2Base
import VL2Run

/// A request to `/v1/chat/completions`.
struct ChatRequest {
  var asked: Asked
  var format: ChatFormat

  /// - Throws: `RequestError`, `SchemaError`.
  init(_ request: RequestFields, model: ServedModel, limits: AskingLimits) throws {
    try model.check(try request.text("model"))
    if let count = try request.integer("n", in: 0...(.max)), count != 1 {
      throw RequestError.field("n", "is \(count); this server gives one answer to a question")
    }
    let shape = try AnswerShape(request, layout: .nested)
    let most = ["max_completion_tokens", "max_tokens"].first { request[$0] != nil } ?? "max_tokens"
    let messages = try ChatMessages(request, limits: limits.pictures)
    asked = try Asked(
      messages, openAI: request, form: shape.form, mostTokens: most, model: model, limits: limits)
    format = ChatFormat(model: model.name, function: shape.function, boxed: asked.boxed)
    format.hasProbabilities = asked.question.likeliestTokens != nil
    format.tellsUsage = try request.fields("stream_options")?.flag("include_usage") ?? false
    format.tellsTimings = try request.flag("timings_per_token") ?? false
    format.tellsProgress = try request.flag("return_progress") ?? false
  }
}

extension Asked {
  /// A question by the fields that OpenAI's dialects have in common.
  ///
  /// - Parameter mostTokens: the field that says how long the answer may be; -1 in it stands for the server's own limit.
  init(
    _ messages: ChatMessages, openAI request: RequestFields, form: AnswerForm, mostTokens: String,
    model: ServedModel, limits: AskingLimits
  ) throws {
    let maxTokens = try request.integer(mostTokens, in: -1...(.max)) ?? -1
    try self.init(
      messages.turns, request: request, form: form,
      maxTokens: maxTokens < 0 ? limits.maxTokens : min(maxTokens, model.contextLength),
      sampling: Sampling(
        temperature: request.number("temperature", in: 0...100), topP: request.number("top_p", in: 0...1),
        repetitionPenalty: request.number("repetition_penalty", in: 0...100)
          ?? request.number("repeat_penalty", in: 0...100), seed: request.integer("seed", in: .min...(.max))),
      isStreamed: request.flag("stream") ?? false)
    question.stops = try request.stops("stop")
  }
}

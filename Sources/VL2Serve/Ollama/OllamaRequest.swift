import VL2Base
import VL2Run

/// A request to Ollama's `/api/chat` or `/api/generate`.
struct OllamaRequest {
  enum Kind { case chat, generate }

  /// nil where nothing is asked: the model is to be loaded, which it is.
  var asked: Asked?
  var format: OllamaFormat
  var isStreamed: Bool

  /// - Throws: `RequestError`, `SchemaError`.
  init(_ request: RequestFields, kind: Kind, model: ServedModel, limits: AskingLimits) throws {
    let name = try model.name(in: request)
    isStreamed = try request.flag("stream") ?? true
    var reader = OllamaMessages(limits: limits.pictures)
    let turns = try kind == .chat ? reader.conversation(request) : reader.prompt(request)
    format = OllamaFormat(kind: kind, model: name, boxed: turns.flatMap(\.pictures).last)
    if turns.isEmpty { return }
    let options = try request.fields("options") ?? RequestFields([:], path: "options")
    let maxTokens = try options.integer("num_predict", in: -2...(.max)) ?? -1
    var asked = try Asked(
      turns, request: request, form: Self.form(request),
      maxTokens: maxTokens < 0 ? limits.maxTokens : min(maxTokens, model.contextLength),
      sampling: Sampling(
        temperature: options.number("temperature", in: 0...100), topP: options.number("top_p", in: 0...1),
        repetitionPenalty: options.number("repeat_penalty", in: 0...100),
        seed: options.integer("seed", in: .min...(.max))),
      isStreamed: isStreamed)
    asked.question.stops = try options.stops("stop")
    self.asked = asked
  }

  private static func form(_ request: RequestFields) throws -> AnswerForm {
    switch request["format"] {
    case nil, .string([])?: .free
    case .string(let bytes)? where bytes.elementsEqual("json".utf8): .schema(.anyObject)
    case .object(let schema)?: .schema(try JSONSchema(sent: .object(schema), place: "format"))
    default: throw request.fault("format", "give \"json\" or a JSON Schema")
    }
  }
}

/// Reads what is said in requests to Ollama's addresses.
private struct OllamaMessages {
  let limits: PictureLimits
  private var pictures = 0

  init(limits: PictureLimits) { self.limits = limits }

  /// The turns of `/api/chat`. Pictures beside the messages belong to the last of the user's that has none: LLM Vision sends
  /// its pictures at both places.
  mutating func conversation(_ request: RequestFields) throws -> [Turn] {
    var turns: [Turn] = []
    for (index, value) in try (request.list("messages") ?? []).enumerated() {
      let message = try RequestFields(value, path: "messages[\(index)]")
      let text = try message.text("content") ?? ""
      switch try message.text("role") {
      case "system": turns.append(.system(text))
      case "user", "tool": turns.append(try user(text, message))
      case "assistant": turns.append(.assistant(text))
      default: throw message.fault("role", "give user, system, assistant or tool")
      }
    }
    if let last = turns.lastIndex(where: { $0.role == .user }), turns[last].pictures.isEmpty,
      request["images"] != nil
    {
      turns[last] = try user(turns[last].text, request)
    }
    return turns
  }

  /// The turns of `/api/generate`; none where there is nothing to answer.
  mutating func prompt(_ request: RequestFields) throws -> [Turn] {
    let text = try request.text("prompt") ?? ""
    let turn = try user(text, request)
    if turn.parts.isEmpty { return [] }
    return try (request.text("system").map { $0.isEmpty ? [] : [.system($0)] } ?? []) + [turn]
  }

  private mutating func user(_ text: String, _ fields: RequestFields) throws -> Turn {
    var content = UserContent()
    for (index, value) in try (fields.list("images") ?? []).enumerated() {
      let place = "\(fields.place("images"))[\(index)]"
      guard case .string(let bytes) = value else {
        throw RequestError.field(place, "is \(value.kind); give base64")
      }
      pictures += 1
      guard pictures <= limits.count else {
        throw RequestError.field(place, "more than \(limits.count) pictures; send fewer")
      }
      content.add(
        try SentPicture.base64(String(decoding: bytes, as: UTF8.self), place: place, limits: limits),
        mostTiles: nil)
    }
    content.add(text)
    return Turn(role: .user, parts: content.parts)
  }
}

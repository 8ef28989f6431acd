import VL2Base
import VL2Run

/// What is said in a request: the messages of `/v1/chat/completions`, the input of `/v1/responses`.
struct ChatMessages {
  private(set) var turns: [Turn] = []
  private let limits: PictureLimits
  /// What a dialect calls the parts of a user's message.
  private let kindsOfParts: String
  private var pictures = 0

  /// Reads `messages`.
  ///
  /// - Throws: `RequestError` that names the place.
  init(_ request: RequestFields, limits: PictureLimits) throws {
    self.limits = limits
    kindsOfParts = "text or image_url"
    guard let list = try request.list("messages"), !list.isEmpty else {
      throw request.fault("messages", "give a list with at least one message")
    }
    for (index, value) in list.enumerated() {
      turns.append(try turn(RequestFields(value, path: "messages[\(index)]")))
    }
  }

  /// Reads `instructions` and `input`, a text or a list of items.
  ///
  /// - Throws: `RequestError` that names the place.
  init(input request: RequestFields, limits: PictureLimits) throws {
    self.limits = limits
    kindsOfParts = "input_text or input_image"
    if let instructions = try request.text("instructions"), !instructions.isEmpty {
      turns.append(.system(instructions))
    }
    switch request["input"] {
    case .string(let bytes)?: turns.append(.user(String(decoding: bytes, as: UTF8.self)))
    case .array(let items)? where !items.isEmpty:
      for (index, item) in items.enumerated() { try add(RequestFields(item, path: "input[\(index)]")) }
    default: throw request.fault("input", "give a text, or a list with at least one item")
    }
  }

  private mutating func add(_ item: RequestFields) throws {
    let turn: Turn
    switch try item.text("type") {
    case nil, "message": turn = try self.turn(item)
    // Of a function that was called, the model has written the arguments.
    case "function_call":
      guard let arguments = try item.text("arguments") else { throw item.fault("arguments", "give a text") }
      turn = .assistant(arguments)
    case "function_call_output": turn = Turn(role: .user, parts: try userContent(item, "output").parts)
    // What another model thought; clients send whole answers back.
    case "reasoning": return
    case let type?:
      throw RequestError.field(
        item.place("type"),
        "\(UntrustedText.quoted(type)) is not supported; give message, function_call or function_call_output")
    }
    // What the assistant said and called at once are items of their own, and one turn.
    if turn.role == .assistant, let last = turns.last, last.role == .assistant {
      turns[turns.count - 1] = .assistant(
        [last.text, turn.text].filter { !$0.isEmpty }.joined(separator: "\n"))
    } else {
      turns.append(turn)
    }
  }

  private mutating func turn(_ message: RequestFields) throws -> Turn {
    guard let role = try message.text("role") else {
      throw message.fault("role", "give user, system or assistant")
    }
    switch role {
    case "system", "developer": return .system(try text(message))
    case "user": return Turn(role: .user, parts: try userContent(message, "content").parts)
    case "assistant":
      // Of a function that was called, the model has written the arguments.
      let calls = try message.list("tool_calls") ?? []
      let arguments = try calls.enumerated().compactMap { index, call in
        try RequestFields(call, path: "\(message.place("tool_calls"))[\(index)]").fields("function")?.text(
          "arguments")
      }
      return .assistant(message["content"] == nil ? arguments.joined(separator: "\n") : try text(message))
    // The model knows no such role: what a function gave is told by the user.
    case "tool", "function": return .user(try text(message))
    default: throw message.fault("role", "give user, system, developer, assistant or tool")
    }
  }

  /// Content that is text alone.
  private func text(_ message: RequestFields) throws -> String {
    guard case .array(let parts)? = message["content"] else { return try message.text("content") ?? "" }
    let texts = try parts.enumerated().map { index, value in
      let part = try RequestFields(value, path: "\(message.place("content"))[\(index)]")
      guard let text = try part.text("text") ?? part.text("refusal") else {
        throw part.fault("type", "only messages of role user have other parts than text")
      }
      return text
    }
    return texts.joined(separator: "\n")
  }

  private mutating func userContent(_ message: RequestFields, _ name: String) throws -> UserContent {
    var content = UserContent()
    guard case .array(let parts)? = message[name] else {
      guard let text = try message.text(name) else {
        throw message.fault(name, "give a text, or a list of parts")
      }
      content.add(text)
      return content
    }
    for (index, value) in parts.enumerated() {
      let part = try RequestFields(value, path: "\(message.place(name))[\(index)]")
      switch try part.text("type") {
      case "text", "input_text":
        guard let text = try part.text("text") else { throw part.fault("text", "give a text") }
        content.add(text)
      case "image_url", "input_image": try addPicture(part, to: &content)
      case let type:
        throw RequestError.field(
          part.place("type"),
          "\(type.map { UntrustedText.quoted($0) + " is not supported" } ?? "is missing"); give \(kindsOfParts)"
        )
      }
    }
    return content
  }

  private mutating func addPicture(_ part: RequestFields, to content: inout UserContent) throws {
    pictures += 1
    guard pictures <= limits.count else {
      throw RequestError.field(
        part.path, "more than \(limits.count) pictures; send fewer", code: "too_many_images")
    }
    if part["image_url"] == nil, part["file_id"] != nil {
      throw RequestError.field(
        part.path, "file_id: no files are kept here; send the picture itself as image_url")
    }
    var detail = try part.text("detail")
    let url: String
    if case .object? = part["image_url"], let image = try part.fields("image_url") {
      guard let text = try image.text("url") else { throw image.fault("url", "give a data: URL") }
      url = text
      detail = try image.text("detail") ?? detail
    } else {
      guard let text = try part.text("image_url") else {
        throw part.fault("image_url", "give a data: URL, or an object with one in url")
      }
      url = text
    }
    guard ["low", "high", "original", "auto", nil].contains(detail) else {
      throw RequestError.field(part.place("detail"), "give low, high or auto")
    }
    content.add(
      try SentPicture.url(url, place: part.path, limits: limits), mostTiles: detail == "low" ? 1 : nil)
  }
}

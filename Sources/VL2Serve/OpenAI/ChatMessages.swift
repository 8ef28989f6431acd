import VL2Base
import VL2Run

/// The messages of a request to `/v1/chat/completions`.
struct ChatMessages {
  private(set) var turns: [Turn] = []
  private let limits: PictureLimits
  private var pictures = 0

  /// - Throws: `RequestError` that names the place.
  init(_ request: RequestFields, limits: PictureLimits) throws {
    self.limits = limits
    guard let list = try request.list("messages"), !list.isEmpty else {
      throw request.fault("messages", "give a list with at least one message")
    }
    for (index, value) in list.enumerated() {
      turns.append(try turn(RequestFields(value, path: "messages[\(index)]")))
    }
  }

  private mutating func turn(_ message: RequestFields) throws -> Turn {
    guard let role = try message.text("role") else {
      throw message.fault("role", "give user, system or assistant")
    }
    switch role {
    case "system", "developer": return .system(try text(message))
    case "user": return Turn(role: .user, parts: try userContent(message).parts)
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

  private mutating func userContent(_ message: RequestFields) throws -> UserContent {
    var content = UserContent()
    guard case .array(let parts)? = message["content"] else {
      guard let text = try message.text("content") else {
        throw message.fault("content", "give a text, or a list of parts")
      }
      content.add(text)
      return content
    }
    for (index, value) in parts.enumerated() {
      let part = try RequestFields(value, path: "\(message.place("content"))[\(index)]")
      switch try part.text("type") {
      case "text", "input_text":
        guard let text = try part.text("text") else { throw part.fault("text", "give a text") }
        content.add(text)
      case "image_url", "input_image": try addPicture(part, to: &content)
      case let type:
        throw RequestError.field(
          part.place("type"),
          type.map { "\(UntrustedText.quoted($0)) is not supported; give text or image_url" }
            ?? "is missing; give text or image_url")
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
    var detail = try part.text("detail")
    let url: String
    if case .object? = part["image_url"], let image = try part.fields("image_url") {
      guard let text = try image.text("url") else { throw image.fault("url", "give a data: URL") }
      url = text
      detail = try image.text("detail") ?? detail
    } else {
      guard let text = try part.text("image_url") else {
        throw part.fault("image_url", "give an object with a url")
      }
      url = text
    }
    guard ["low", "high", "auto", nil].contains(detail) else {
      throw RequestError.field(part.place("detail"), "give low, high or auto")
    }
    content.add(
      try SentPicture.url(url, place: part.path, limits: limits), mostTiles: detail == "low" ? 1 : nil)
  }
}

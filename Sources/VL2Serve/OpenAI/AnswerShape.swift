import VL2Base
import VL2Run

/// What a request wants its answer to look like: text, JSON, or the call of a function.
struct AnswerShape {
  var form = AnswerForm.free
  /// The function that is called; nil for an answer in text.
  var function: String?

  /// Where the members of a function or of a named schema stand: in an object of their own, as in `/v1/chat/completions`, or
  /// beside their `type`, as in `/v1/responses`.
  enum Layout { case nested, flat }

  /// - Throws: `RequestError`, `SchemaError`.
  init(_ request: RequestFields, layout: Layout) throws {
    if let function = try Self.forcedFunction(request, layout) {
      guard let name = try function.text("name") else {
        throw function.fault("name", "give the function's name")
      }
      self.function = name
      form = .schema(
        try function["parameters"].map { try JSONSchema(sent: $0, place: function.place("parameters")) }
          ?? .anyObject)
      return
    }
    let format: RequestFields?
    switch layout {
    case .nested:
      if let schema = request["json_schema"] {
        form = .schema(try JSONSchema(sent: schema, place: request.place("json_schema")))
      }
      format = try request.fields("response_format")
    case .flat: format = try request.fields("text")?.fields("format")
    }
    guard let format else { return }
    switch try format.text("type") {
    case "text": break
    // llama.cpp takes a schema beside the type.
    case "json_object":
      form = .schema(
        try format["schema"].map { try JSONSchema(sent: $0, place: format.place("schema")) }
          ?? .anyObject)
    case "json_schema":
      guard let description = try layout == .flat ? format : format.fields("json_schema") else {
        throw format.fault("json_schema", "give an object with a schema")
      }
      guard let schema = description["schema"] else {
        throw description.fault("schema", "give a JSON Schema")
      }
      form = .schema(try JSONSchema(sent: schema, place: description.place("schema")))
    case let type:
      throw RequestError.field(
        format.place("type"),
        "\(type.map { UntrustedText.quoted($0) + " is not supported" } ?? "is missing"); give text, json_object or json_schema"
      )
    }
  }

  /// The one function that must be called; nil where answering in text is allowed.
  private static func forcedFunction(_ request: RequestFields, _ layout: Layout) throws -> RequestFields? {
    guard let choice = request["tool_choice"] else { return nil }
    let tools = try (request.list("tools") ?? []).enumerated().compactMap { index, tool -> RequestFields? in
      let tool = try RequestFields(tool, path: "tools[\(index)]")
      // Beside functions there are tools of OpenAI's own servers, which nobody can call here.
      if layout == .flat { return try tool.text("type") == "function" ? tool : nil }
      guard let function = try tool.fields("function") else {
        throw tool.fault("function", "give a function")
      }
      return function
    }
    switch choice {
    case .string(let bytes):
      switch String(decoding: bytes, as: UTF8.self) {
      case "auto", "none": return nil
      case "required", "any":
        if tools.isEmpty { throw request.fault("tools", "tool_choice requires one") }
        guard tools.count == 1 else {
          throw RequestError.field(
            "tool_choice",
            "requires one of \(tools.count) tools, which this model cannot choose among; name one")
        }
        return tools[0]
      default: throw request.fault("tool_choice", "give auto, none, required, or the name of a function")
      }
    default:
      let named = try RequestFields(choice, path: "tool_choice")
      let name = try named.fields("function")?.text("name") ?? named.text("name")
      guard let name else {
        throw named.fault(layout == .flat ? "name" : "function", "give the name of a function")
      }
      guard let found = try tools.first(where: { try $0.text("name") == name }) else {
        throw RequestError.field("tool_choice", "\(UntrustedText.quoted(name)) is not among the tools")
      }
      return found
    }
  }
}

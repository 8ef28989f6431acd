import VL2Base

extension RequestError {
  /// The error as OpenAI's clients read it.
  var openAI: JSONValue {
    var error: JSONValue = [
      "message": .text(message), "type": .text(type), "param": parameter.map { .text($0) } ?? .null,
      "code": code.map { .text($0) } ?? .null,
    ]
    for (name, number) in details { error.append(name, .integer(number)) }
    return ["error": error]
  }

  var openAIResponse: HTTPResponse { HTTPResponse(status: status, json: openAI, headers: responseHeaders) }
}

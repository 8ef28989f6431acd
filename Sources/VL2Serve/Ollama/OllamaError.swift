import VL2Base

extension RequestError {
  /// The error as Ollama's clients read it: text alone.
  var ollama: JSONValue { ["error": .text(message)] }

  var ollamaResponse: HTTPResponse { HTTPResponse(status: status, json: ollama, headers: responseHeaders) }
}

import VL2Base
import VL2Run

/// Why a request is not answered as it was meant: what each dialect tells its client.
package struct RequestError: Error, Sendable {
  /// The status of HTTP.
  package var status: Int
  /// The kind of error, as OpenAI's clients read it.
  package var type: String
  /// What is wrong, and what to do.
  package var message: String
  /// The place in the request: `messages[0].content[1]`.
  package var parameter: String?
  /// A word for programs.
  package var code: String?
  /// Seconds after which trying again makes sense.
  package var retryAfter: Int?
  /// Further fields of the error.
  package var details: [(String, Int)] = []
  package var headers: [(name: String, value: String)] = []

  package init(
    status: Int, type: String = "invalid_request_error", _ message: String, parameter: String? = nil,
    code: String? = nil
  ) {
    self.status = status
    self.type = type
    self.message = UntrustedText.line(message)
    self.parameter = parameter
    self.code = code
  }

  /// A field of the request that cannot be used.
  static func field(_ parameter: String, _ problem: String, code: String? = "invalid_value") -> RequestError {
    RequestError(status: 400, "\(parameter): \(problem)", parameter: parameter, code: code)
  }

  /// Nobody has time for the question.
  static func busy(_ message: String, retryAfter: Int, status: Int = 429, code: String = "queue_full")
    -> RequestError
  {
    var error = RequestError(
      status: status, type: status == 429 ? "rate_limit_error" : "service_unavailable_error", message,
      code: code)
    error.retryAfter = retryAfter
    return error
  }

  /// Whether the time was over before the question's turn came.
  var isLate: Bool { code == Self.lateCode }

  static let lateCode = "deadline"

  /// What a client is told of an error.
  init(_ error: any Error) {
    if let error = error as? RequestError {
      self = error
      return
    }
    guard let error = error as? any ReportableError, let status = Self.status(error) else {
      self.init(status: 500, type: "server_error", "the server cannot answer; its log says why")
      return
    }
    self.init(status: status, error.line(naming: Self.name))
    if status >= 500 { type = "server_error" }
    if status == 429 { type = "rate_limit_error" }
    if let (tokens, limit) = (error as? PromptError)?.excess {
      type = "exceed_context_size_error"
      code = "context_length_exceeded"
      parameter = "messages"
      details = [("n_prompt_tokens", tokens), ("n_ctx", limit)]
    }
  }

  /// The status for an error that says something to clients: of their question, or of what it takes. nil for others, which name
  /// the server's files.
  private static func status(_ error: any ReportableError) -> Int? {
    switch (error, error.kind) {
    case (_, .tooLittleMemory), (_, .cancelled): 503
    case (is PictureError, .unavailable): 501
    case (is PromptError, _), (is SchemaError, _), (is QuestionError, _), (is PictureError, _): 400
    case (is EngineError, .busy): 429
    default: nil
    }
  }

  /// What requests call settings.
  private static func name(_ setting: Setting, _ value: String?) -> String {
    switch setting {
    case .maxTokens: "max_tokens"
    default: Setting.plainName(setting, value)
    }
  }

  /// Headers of the response. Clients must not try again at once what cannot get better.
  var responseHeaders: [(name: String, value: String)] {
    var all = headers
    if let retryAfter {
      all.append(("Retry-After", "\(retryAfter)"))
    } else if status >= 500 {
      all.append(("x-should-retry", "false"))
    }
    return all
  }
}

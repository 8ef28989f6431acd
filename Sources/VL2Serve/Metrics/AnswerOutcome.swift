import VL2Run

/// How a question ended, as it is counted.
enum AnswerOutcome: String, CaseIterable, Sendable {
  // As `Ending` has them.
  case complete, stop, context, loop, cancelled, failed
  case maxTokens = "max_tokens"
  case timeLimit = "time_limit"
  /// Something in the request is wrong.
  case refused
  /// Too many waited.
  case busy
  /// Its time was over before its turn came.
  case late
  /// The model is being loaded, the server ends, or there is too little memory.
  case unavailable

  /// For a question that was told an error.
  init(_ error: RequestError) {
    self =
      switch error.status {
      case 429: .busy
      case 503: error.isLate ? .late : .unavailable
      case 500...: .failed
      default: .refused
      }
  }

  init(_ ending: Ending) {
    self =
      switch ending {
      case .complete: .complete
      case .stop: .stop
      case .maxTokens: .maxTokens
      case .context: .context
      case .loop: .loop
      case .timeLimit: .timeLimit
      case .cancelled: .cancelled
      case .failed: .failed
      }
  }

  /// - Parameter error: what was told instead of the answer.
  init(_ answer: Answer, told error: RequestError?) {
    if answer.ending != .cancelled, let error { self.init(error) } else { self.init(answer.ending) }
  }
}

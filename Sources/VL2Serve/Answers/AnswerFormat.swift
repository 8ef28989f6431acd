import VL2Run

/// How one answer is told in a dialect.
protocol AnswerFormat: Sendable {
  /// The whole answer.
  func response(_ answer: Answer) -> HTTPResponse

  /// Status, headers and what comes before the first word of an answer that is told as it is written.
  var streamHead: HTTPResponse { get }

  /// More of the answer; empty for an event that the dialect does not tell.
  mutating func piece(_ event: AnswerEvent) -> [UInt8]

  /// What comes last.
  func end(_ answer: Answer) -> [UInt8]

  /// An error instead of an answer.
  func response(_ error: RequestError) -> HTTPResponse

  /// An error after the first byte.
  func failure(_ error: RequestError) -> [UInt8]

  /// What tells an impatient client that somebody is at work; nil where the dialect has no word for it.
  var sign: [UInt8]? { get }
}

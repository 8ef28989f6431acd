import VL2Base
import VL2Run

/// The log's line of a request: who asked what, how it ended and what it took, and nothing that was asked or answered.
enum RequestLine {
  /// Who asked what. What is no method or address of this server is quoted and short.
  static func caller(_ head: RequestHead) -> String {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"]
    let method = known.contains(head.method) ? head.method : quoted(head.method)
    let path = Route.find(head.path).map { $0.0 == .model ? $0.0.label : head.path } ?? quoted(head.path)
    return "\(name(head.client)) \(method) \(path)"
  }

  static func name(_ client: NetworkAddress?) -> String { client?.description ?? "somebody" }

  /// A key that somebody put into an address is longer.
  private static func quoted(_ text: String) -> String {
    let start = text.prefix(24)
    return UntrustedText.quoted(start.endIndex < text.endIndex ? start + "…" : String(start))
  }

  static func text(_ end: RequestEnd) -> String {
    "\(caller(end.head)): \(end.status) in \(NumberText.fixed(end.seconds, 3)) s"
  }

  /// Of a question that the engine was asked.
  static func text(
    _ answer: Answer, _ head: RequestHead, status: Int, seconds whole: Double, pictures: Int
  ) -> String {
    let (counts, seconds) = (answer.counts, answer.counts.seconds)
    func time(_ value: Double) -> String { NumberText.fixed(value, 1) + " s" }
    return
      "\(caller(head)): \(answer.ending.rawValue), \(pictures) pictures in \(counts.tiles) tiles, "
      + "\(counts.readTokens) tokens read, \(counts.writtenTokens) written; waited \(time(seconds.queued)), "
      + "looked \(time(seconds.tiling + seconds.vision)), read \(time(seconds.prefill)), "
      + "wrote \(time(seconds.decode)); \(status) in \(time(whole))"
  }
}

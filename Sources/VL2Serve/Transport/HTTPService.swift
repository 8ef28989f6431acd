/// What answers the requests that a `Listener` receives. It is called on libmicrohttpd's thread, which must not wait.
package protocol HTTPService: Sendable {
  /// A response for a request that is refused before its body comes; nil where it is not.
  func refusal(of head: RequestHead) -> HTTPResponse?

  /// A response for a request that the transport refuses.
  func refusal(status: Int, problem: String) -> HTTPResponse

  /// Answers a complete request, now or later, by the exchange.
  func answer(_ request: HTTPRequest, _ exchange: Exchange)

  /// Is told what the transport did.
  func note(_ event: TransportEvent)
}

extension HTTPService {
  package func note(_ event: TransportEvent) {}
}

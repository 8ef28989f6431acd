/// What the transport did, for those who count and log it.
package enum TransportEvent: Sendable {
  case connectionOpened, connectionClosed
  /// Once for each request whose head was read, however it ended: refused, answered, or given up by its client.
  case requestEnded(RequestEnd)
  /// A request whose head did not come whole, or that was refused because it is no HTTP.
  case unreadableRequest(client: NetworkAddress?)
}

/// How a request ended.
package struct RequestEnd: Sendable {
  /// Of a request whose connection ended before there was a response.
  package static let statusOfNone = 499

  package var head: RequestHead
  package var status: Int
  /// Bytes of the bodies.
  package var receivedBytes: Int
  package var sentBytes: Int
  /// Seconds since the head was complete.
  package var seconds: Double
  /// Whether somebody else writes the request's line of the log (`Exchange.leaveLineToAnswer`).
  package var hasLine: Bool
}

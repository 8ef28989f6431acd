/// What clients may take.
package struct TransportLimits: Sendable {
  /// Connections at a time. One more ends the one that has been sending or idle for the longest time.
  package var connections = 64
  /// Bytes of a request's head.
  package var headBytes = 32 << 10
  /// Bytes of a request's body.
  package var bodyBytes = 32 << 20
  /// Bytes of the body of a request that is refused for its head: so much is read and dropped before the answer.
  package var refusedBodyBytes = 8 << 20
  /// Bytes of all bodies that are being received or wait for their turn.
  package var allBodyBytes = 96 << 20
  /// Seconds for a head, from the connection on.
  package var headSeconds = 10.0
  /// Seconds for a body, from its head on.
  package var bodySeconds = 30.0
  /// Seconds between an answer and the end of the next head.
  package var idleSeconds = 75.0
  /// Seconds in which a client has to take a complete response.
  package var writeSeconds = 60.0

  package init() {}
}

import CMicrohttpd
import VL2Base

/// One request and its response. Whoever answers it may do so from any thread, at any time.
package final class Exchange: @unchecked Sendable {
  private enum Reply {
    case whole(HTTPResponse)
    case stream(HTTPResponse, ResponseStream)
  }

  private enum Phase {
    /// The body is coming.
    case receiving
    /// Somebody is to answer. The connection is suspended once the thread of libmicrohttpd has nothing else to do.
    case answering(isSuspended: Bool)
    /// The response is known, libmicrohttpd does not have it yet.
    case answered(Reply)
    /// libmicrohttpd has the response.
    case queued
    /// The client is gone.
    case over
  }

  private struct State {
    var phase = Phase.receiving
    var stream: ResponseStream?
    var isGone = false
    var answeredStatus: Int?
    var hasLine = false
    var onDeparture: (@Sendable () -> Void)?
  }

  let head: RequestHead
  let connectionNumber: Connections.Number
  private let connection: OpaquePointer
  private let connections: Connections
  private let ledger: BodyLedger
  private let limits: TransportLimits
  private let state = Monitor(State())
  /// For libmicrohttpd's thread alone.
  private var body: [UInt8] = []
  private var bodyFault: BodyFault?
  /// What is answered whatever the body is.
  private var refusal: HTTPResponse?
  private var dropped = 0
  /// Bytes of a body that was handed on.
  private var counted = 0
  /// The status of the response that libmicrohttpd has, and bytes of its body, without those of a stream.
  private var status: Int?
  private var (receivedBytes, sentBytes) = (0, 0)

  private enum BodyFault { case tooLarge, noRoom }

  init(
    _ head: RequestHead, connection: OpaquePointer, number: Connections.Number, connections: Connections,
    ledger: BodyLedger, limits: TransportLimits
  ) {
    self.head = head
    self.connection = connection
    connectionNumber = number
    self.connections = connections
    self.ledger = ledger
    self.limits = limits
  }

  deinit { ledger.give(body.count + counted) }

  // MARK: answering, from any thread

  /// Answers. Only the first answer counts, and none where the client is gone.
  package func respond(_ response: HTTPResponse) { reply(.whole(response)) }

  /// Begins an answer whose body is written as it comes.
  ///
  /// - Parameter response: status and headers; its body comes first.
  package func stream(_ response: HTTPResponse) -> ResponseStream {
    let stream = ResponseStream(connection)
    stream.send(response.body)
    reply(.stream(response, stream))
    return stream
  }

  /// Has `action` called once when the client goes away before it was answered, at once where it is gone.
  package func onDeparture(_ action: @escaping @Sendable () -> Void) {
    let isGone = state.withLock { state in
      if !state.isGone { state.onDeparture = action }
      return state.isGone
    }
    if isGone { action() }
  }

  /// Has `action` called every so many seconds until the answer is complete or the client is gone.
  package func remind(every seconds: Double, _ action: @escaping @Sendable () -> Void) {
    connections.remind(connectionNumber, self, every: seconds, action)
  }

  /// Whether the client is gone.
  package var isGone: Bool { state.withLock { $0.isGone } }

  /// The status of the answer; nil where there was none while the client was there.
  package var answeredStatus: Int? { state.withLock { $0.answeredStatus } }

  /// Whoever answers writes the request's line of the log.
  package func leaveLineToAnswer() { state.withLock { $0.hasLine = true } }

  /// Has the time run within which the client must have taken the response.
  package func isComplete() { connections.writes(connectionNumber, self) }

  private func reply(_ reply: Reply) {
    state.withLock { state in
      guard case .answering(let isSuspended) = state.phase else {
        if case .stream(_, let stream) = reply { stream.abort() }
        return
      }
      if case .stream(_, let stream) = reply { state.stream = stream }
      state.phase = .answered(reply)
      switch reply {
      case .whole(let response), .stream(let response, _): state.answeredStatus = response.status
      }
      if isSuspended { MHD_resume_connection(connection) }
    }
  }

  /// The client is gone, or the server ends.
  func depart() {
    let action = state.withLock { state in
      if case .answering(let isSuspended) = state.phase {
        state.phase = .over
        if isSuspended { MHD_resume_connection(connection) }
      }
      state.stream?.abort()
      state.isGone = true
      defer { state.onDeparture = nil }
      return state.onDeparture
    }
    action?()
  }

  // MARK: libmicrohttpd's thread

  /// Takes a part of the body. What is over a limit is dropped, and answered when the body is complete.
  ///
  /// - Returns: false where so much comes that the connection has to end.
  func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    receivedBytes += bytes.count
    if refusal != nil {
      dropped += bytes.count
      return dropped <= limits.refusedBodyBytes
    }
    if bodyFault == nil {
      if body.count + bytes.count > limits.bodyBytes {
        bodyFault = .tooLarge
      } else if !ledger.take(bytes.count) {
        bodyFault = .noRoom
      } else {
        body += bytes
        return true
      }
      ledger.give(body.count)
      body = []
    }
    dropped += bytes.count
    return dropped <= limits.bodyBytes
  }

  /// What to do after the body is complete, and after the connection was resumed.
  ///
  /// - Returns: false where the connection has to end.
  func proceed(_ service: any HTTPService) -> Bool {
    let isFirst = state.withLock { state in
      guard case .receiving = state.phase else { return false }
      state.phase = .answering(isSuspended: false)
      return true
    }
    if isFirst {
      if let refusal {
        respond(refusal)
      } else if let bodyFault {
        respond(
          bodyFault == .tooLarge
            ? service.refusal(status: 413, problem: "the body is over \(limits.bodyBytes) bytes")
            : service.refusal(status: 503, problem: "too much is being sent at the same time"))
      } else {
        connections.answers(connectionNumber, self)
        // From here on the request alone holds the bytes; they count until the exchange is over.
        let request = HTTPRequest(head: head, body: body)
        counted = body.count
        body = []
        service.answer(request, self)
      }
    }
    return send()
  }

  private func send() -> Bool {
    let reply = state.withLock { state -> Reply?? in
      switch state.phase {
      case .answered(let reply):
        state.phase = .queued
        return reply
      case .answering:
        state.phase = .answering(isSuspended: true)
        MHD_suspend_connection(connection)
        return .some(nil)
      case .receiving, .queued, .over: return nil
      }
    }
    switch reply {
    case nil: return false
    case .some(nil): return true
    case .some(.some(.whole(let response))):
      connections.writes(connectionNumber)
      return queue(response)
    case .some(.some(.stream(let response, let stream))): return queue(response, stream)
    }
  }

  /// Answers once the body came, which is dropped. Proxies that are still sending when the connection ends tell their clients
  /// of a fault of this server instead (nginx: 502).
  func refuseAfterBody(_ response: HTTPResponse) { refusal = response }

  /// Answers before the body came. libmicrohttpd then ends the connection, unless there is no body.
  func refuse(_ response: HTTPResponse) -> Bool {
    state.withLock { $0.phase = .queued }
    connections.writes(connectionNumber)
    return queue(response)
  }

  private func queue(_ response: HTTPResponse, _ stream: ResponseStream? = nil) -> Bool {
    let made: OpaquePointer?
    if let stream {
      made = vl2_mhd_stream(
        { context, _, buffer, count in
          guard let context, let buffer else { return vl2_mhd_end_with_error }
          return Unmanaged<ResponseStream>.fromOpaque(context).takeUnretainedValue()
            .read(into: UnsafeMutableRawBufferPointer(start: buffer, count: count))
        }, Unmanaged.passRetained(stream).toOpaque(),
        { context in if let context { Unmanaged<ResponseStream>.fromOpaque(context).release() } })
    } else {
      made = response.body.withUnsafeBytes { vl2_mhd_whole($0.baseAddress, $0.count) }
    }
    guard let made else { return false }
    defer { MHD_destroy_response(made) }
    for (name, value) in response.headers { MHD_add_response_header(made, name, value) }
    if response.closes { MHD_add_response_header(made, "Connection", "close") }
    guard vl2_mhd_queue(connection, UInt32(response.status), made) else { return false }
    status = response.status
    if stream == nil, head.method != "HEAD" { sentBytes = response.body.count }
    return true
  }

  /// The response was taken, or the connection is over. Called once for each request.
  func complete(_ service: any HTTPService) {
    connections.isIdle(connectionNumber)
    let isTaken = state.withLock { state in
      guard case .queued = state.phase else { return false }
      return state.stream?.isRead ?? true
    }
    if !isTaken { depart() }
    let (hasLine, streamed) = state.withLock { ($0.hasLine, $0.stream?.readBytes ?? 0) }
    service.note(
      .requestEnded(
        RequestEnd(
          head: head, status: status ?? RequestEnd.statusOfNone, receivedBytes: receivedBytes,
          sentBytes: sentBytes + streamed, seconds: (ContinuousClock.now - head.arrived) / .seconds(1),
          hasLine: hasLine)))
  }
}

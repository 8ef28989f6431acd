import CMicrohttpd
import Glibc
import VL2Base

/// Receives requests at one address, with libmicrohttpd.
package final class Listener: @unchecked Sendable {
  package let address: NetworkAddress
  package let port: UInt16
  private let context: Context
  private let daemon: OpaquePointer

  /// Descriptors that a listener takes besides its connections.
  package static let ownDescriptors = 8

  /// What libmicrohttpd's callbacks are given.
  private final class Context: Sendable {
    let service: any HTTPService
    let limits: TransportLimits
    let connections: Connections
    let ledger: BodyLedger
    let local: NetworkAddress
    /// libmicrohttpd's log has no other way to here.
    nonisolated(unsafe) let settings = UnsafeMutablePointer<vl2_mhd_settings>.allocate(capacity: 1)

    init(_ service: any HTTPService, _ limits: TransportLimits, local: NetworkAddress) throws {
      self.service = service
      self.limits = limits
      self.local = local
      connections = try Connections(limits)
      ledger = BodyLedger(limit: limits.allBodyBytes)
    }

    deinit { settings.deallocate() }
  }

  /// Listens.
  ///
  /// - Parameter port: 0 for one that is free.
  /// - Throws: `ListenerError`, `ThreadError` and `DescriptorError`.
  package init(
    address: NetworkAddress, port: UInt16, limits: TransportLimits = TransportLimits(),
    service: any HTTPService
  ) throws {
    self.address = address
    let (socket, bound) = try Self.listen(address, port)
    self.port = bound
    do {
      context = try Context(service, limits, local: address)
    } catch {
      close(socket)
      throw error
    }
    let settings = context.settings
    settings.initialize(to: vl2_mhd_settings())
    settings.pointee.socket = socket
    settings.pointee.head_bytes = limits.headBytes
    // Those that are over the limit are ended by `Connections`, which takes a moment.
    settings.pointee.connections = UInt32(2 * limits.connections)
    settings.pointee.idle_seconds = UInt32(limits.writeSeconds)
    settings.pointee.context = Unmanaged.passUnretained(context).toOpaque()
    settings.pointee.connection = { context, connection, number, code in
      guard let context, let connection else { return }
      let known = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
      if vl2_mhd_begins(code) {
        let descriptor = vl2_mhd_descriptor(connection)
        let new = known.connections.open(descriptor)
        number?.pointee = UnsafeMutableRawPointer(bitPattern: new)
        known.service.note(.connectionOpened)
        if FirstLook.take(descriptor, answer: { known.service.refusal(status: 400, problem: $0) }) {
          known.connections.refuse(new)
          known.service.note(.unreadableRequest(client: Listener.client(connection)))
        }
      } else {
        known.connections.close(Int(bitPattern: number?.pointee))
        known.service.note(.connectionClosed)
      }
    }
    settings.pointee.handle = { context, connection, path, method, version, bytes, count, exchange in
      guard let context, let connection, let exchange, let count else { return vl2_mhd_result(false) }
      let known = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
      if let pointer = exchange.pointee {
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        if count.pointee > 0 {
          let part = UnsafeRawBufferPointer(start: bytes, count: count.pointee)
          count.pointee = 0
          return vl2_mhd_result(exchange.receive(part))
        }
        return vl2_mhd_result(exchange.proceed(known.service))
      }
      let isRefused = known.connections.isRefused(Int(bitPattern: vl2_mhd_socket_context(connection)))
      guard !isRefused, let path, let method, let version else { return vl2_mhd_result(false) }
      let head = Listener.head(
        connection, method: String(cString: method), path: String(cString: path),
        version: String(cString: version), local: known.local)
      let new = Listener.exchange(head, connection, known)
      exchange.pointee = Unmanaged.passRetained(new).toOpaque()
      return vl2_mhd_result(Listener.begin(new, known))
    }
    settings.pointee.full = { context in
      guard let context else { return }
      Unmanaged<Context>.fromOpaque(context).takeUnretainedValue().connections.isFull()
    }
    settings.pointee.completed = { context, connection, exchange, _ in
      guard let context, let connection else { return }
      let known = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
      if let pointer = exchange?.pointee {
        Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue().complete(known.service)
        exchange?.pointee = nil
      } else if !known.connections.isRefused(Int(bitPattern: vl2_mhd_socket_context(connection))) {
        known.service.note(.unreadableRequest(client: Listener.client(connection)))
      }
    }
    let started = vl2_mhd_start(settings)
    guard let started else {
      close(socket)
      context.connections.stop()
      throw ListenerError(address: address, port: port, number: errno)
    }
    daemon = started
  }

  /// Accepts no more connections; those that are open stay.
  package func stopAccepting() {
    let socket = MHD_quiesce_daemon(daemon)
    if socket >= 0 { close(socket) }
  }

  /// Connections whose questions are being answered.
  package var answering: Int { context.connections.answering }

  /// Ends all connections. Questions that are still being answered are over as if their clients had gone away.
  package func stop() {
    context.connections.stop()
    MHD_stop_daemon(daemon)
  }

  // MARK: a request

  private static func exchange(_ head: RequestHead, _ connection: OpaquePointer, _ context: Context)
    -> Exchange
  {
    Exchange(
      head, connection: connection,
      number: Int(bitPattern: vl2_mhd_socket_context(connection)),
      connections: context.connections, ledger: context.ledger, limits: context.limits)
  }

  private static func client(_ connection: OpaquePointer) -> NetworkAddress? {
    vl2_mhd_client(connection).flatMap { NetworkAddress($0) }
  }

  private static func head(
    _ connection: OpaquePointer, method: String, path: String, version: String, local: NetworkAddress
  ) -> RequestHead {
    var head = RequestHead(method: method, path: path, version: version, headers: [])
    head.client = client(connection)
    head.local = local.isAny ? boundAddress(vl2_mhd_descriptor(connection)) : local
    withUnsafeMutablePointer(to: &head.headers) { headers in
      vl2_mhd_headers(
        connection,
        { headers, _, name, value in
          let name = name.map { String(cString: $0).lowercased() } ?? ""
          headers?.assumingMemoryBound(to: [(name: String, value: String)].self).pointee
            .append((name, value.map { String(cString: $0) } ?? ""))
          return vl2_mhd_result(true)
        }, headers)
    }
    return head
  }

  /// The head is there: refuses the request, or waits for its body.
  private static func begin(_ exchange: Exchange, _ context: Context) -> Bool {
    let head = exchange.head
    if let (status, problem) = Framing.fault(head) {
      var response = context.service.refusal(status: status, problem: problem)
      response.closes = true
      return exchange.refuse(response)
    }
    if let response = context.service.refusal(of: head) {
      let isShort = Framing.length(head) ?? 0 <= context.limits.refusedBodyBytes
      if Framing.waits(head) || !isShort { return exchange.refuse(response) }
      exchange.refuseAfterBody(response)
    } else if Framing.length(head) ?? 0 > context.limits.bodyBytes {
      return exchange.refuse(
        context.service.refusal(status: 413, problem: "the body is over \(context.limits.bodyBytes) bytes"))
    }
    if Framing.hasBody(head) { context.connections.receivesBody(exchange.connectionNumber) }
    return true
  }

  private static func boundAddress(_ socket: Int32) -> NetworkAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(socket, $0, &length) == 0 ? NetworkAddress($0) : nil
      }
    }
  }

  // MARK: the socket

  private static func listen(_ address: NetworkAddress, _ port: UInt16) throws -> (Int32, UInt16) {
    let family = address.bytes.count == 4 ? AF_INET : AF_INET6
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, kind, 0)
    guard descriptor >= 0 else { throw ListenerError(address: address, port: port, number: errno) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
    // A connection is there once its first bytes are (`FirstLook`), or after so many seconds.
    var seconds: Int32 = 5
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_DEFER_ACCEPT, &seconds, 4)
    let isBound = address.withSocketAddress(port: port) { bind(descriptor, $0, $1) } == 0
    guard isBound, Glibc.listen(descriptor, 128) == 0 else {
      let number = errno
      close(descriptor)
      throw ListenerError(address: address, port: port, number: number)
    }
    if port != 0 { return (descriptor, port) }
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let found = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> UInt16 in
        getsockname(descriptor, address, &length)
        // The port stands at the same place in both families.
        return UnsafeRawPointer(address).load(fromByteOffset: 2, as: UInt16.self).bigEndian
      }
    }
    return (descriptor, found)
  }
}

/// A server that cannot listen.
package struct ListenerError: ReportableError, Equatable {
  package var address: NetworkAddress
  package var port: UInt16
  /// The system's number of the error.
  package var number: Int32

  package init(address: NetworkAddress, port: UInt16, number: Int32) {
    self.address = address
    self.port = port
    self.number = number
  }

  package var kind: ErrorKind { .unavailable }

  package var problem: String {
    let place = "\(address.urlText):\(port)"
    return switch number {
    case EADDRINUSE: "\(place): another program listens there"
    case EADDRNOTAVAIL: "\(place): this machine does not have this address"
    case EACCES: "\(place): this user may not listen there"
    default: "\(place): cannot listen (\(String(cString: strerror(number)).lowercased()))"
    }
  }

  package var hint: Hint {
    switch number {
    case EADDRINUSE: "stop it (Ollama takes port 11434 too), or take another with \(.port)"
    case EADDRNOTAVAIL: "give one that 'ip address' shows"
    case EACCES: "take \(.port) of 1024 or more"
    default: .none
    }
  }
}

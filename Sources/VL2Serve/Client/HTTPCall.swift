import Glibc
import VL2Base

/// One request and its response, on a connection of its own. Nothing here waits without a limit.
package struct HTTPCall: Sendable {
  /// Why there is no response.
  package enum Failure: Error, Equatable {
    /// Nobody was reached: the request has done nothing.
    case unreachable(String)
    /// The connection broke, or what came is no response.
    case broken(String)
    /// It was not there within so many seconds.
    case late(Double)
    /// Whoever asks has to stop.
    case stopped
  }

  package var address: ServerAddress
  package var method: String
  /// What follows `address.path`.
  package var path: String
  package var headers: [(name: String, value: String)] = []
  package var body: [UInt8] = []

  /// Seconds until a connection is there.
  package static let connectSeconds = 10.0
  /// How often it is looked whether to stop, in milliseconds.
  private static let step: Int32 = 100

  package init(_ address: ServerAddress, _ method: String, _ path: String) {
    (self.address, self.method, self.path) = (address, method, path)
  }

  /// - Parameters:
  ///   - seconds: the most for all of it.
  ///   - mostBytes: of the response's body.
  ///   - isStopped: is asked many times a second.
  package func response(
    within seconds: Double, mostBytes: Int, unless isStopped: () -> Bool
  ) throws(Failure) -> ResponseReader.Response {
    let end = ContinuousClock.now + .seconds(seconds)
    let connection = try connect(until: min(end, .now + .seconds(Self.connectSeconds)), unless: isStopped)
    defer { close(connection) }
    var unsent = head[...] + body
    var reader = ResponseReader(mostBytes: mostBytes)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      try check(end, seconds, isStopped)
      var place = pollfd(fd: connection, events: Int16(POLLIN | (unsent.isEmpty ? 0 : POLLOUT)), revents: 0)
      guard poll(&place, 1, Self.step) > 0 else { continue }
      if !unsent.isEmpty, place.revents & Int16(POLLOUT) != 0 {
        let count = unsent.withUnsafeBytes {
          send(connection, $0.baseAddress, min($0.count, 1 << 20), Int32(MSG_NOSIGNAL))
        }
        if count > 0 {
          unsent = unsent.dropFirst(count)
        } else if errno != EAGAIN, errno != EINTR {
          // It takes no more; what it had to say may be there.
          unsent = []
        }
      }
      guard place.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 else { continue }
      let count = buffer.withUnsafeMutableBytes { recv(connection, $0.baseAddress, $0.count, 0) }
      if count < 0, errno == EAGAIN || errno == EINTR { continue }
      guard count > 0 else {
        let what = count == 0 ? "the connection was closed" : String(cString: strerror(errno)).lowercased()
        throw .broken(what + (reader.isEmpty ? " without a response" : " in the middle of a response"))
      }
      do throws(ResponseReader.Failure) {
        if let response = try reader.take(buffer[..<count]) { return response }
      } catch {
        throw .broken("the response \(error.problem)")
      }
    }
  }

  private var head: [UInt8] {
    var text =
      "\(method) \(address.path)\(path) HTTP/1.1\r\nHost: \(address.authority)\r\nConnection: close\r\n"
    text += "User-Agent: vl2/\(packageVersion)\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if method == "POST" {
      text += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
    }
    return Array((text + "\r\n").utf8)
  }

  private func check(_ end: ContinuousClock.Instant, _ seconds: Double, _ isStopped: () -> Bool)
    throws(Failure)
  {
    if isStopped() { throw .stopped }
    if ContinuousClock.now >= end { throw .late(seconds) }
  }

  // MARK: connecting

  /// A connection to the first of the host's addresses that takes one.
  private func connect(until end: ContinuousClock.Instant, unless isStopped: () -> Bool) throws(Failure)
    -> Int32
  {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(address.host, "\(address.port)", &hints, &found)
    guard status == 0 else { throw .unreachable(String(cString: gai_strerror(status)).lowercased()) }
    defer { freeaddrinfo(found) }
    var last = Failure.unreachable("it has no address")
    var next = found
    while let place = next?.pointee {
      next = place.ai_next
      do throws(Failure) {
        return try connect(place, until: end, unless: isStopped)
      } catch {
        if error == .stopped { throw error }
        last = error
      }
    }
    throw last
  }

  private func connect(
    _ place: addrinfo, until end: ContinuousClock.Instant, unless isStopped: () -> Bool
  ) throws(Failure) -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let connection = socket(place.ai_family, kind, 0)
    guard connection >= 0 else { throw Self.unreachable(errno) }
    do throws(Failure) {
      if Glibc.connect(connection, place.ai_addr, place.ai_addrlen) != 0 {
        guard errno == EINPROGRESS else { throw Self.unreachable(errno) }
        try wait(connection, until: end, unless: isStopped)
      }
    } catch {
      close(connection)
      throw error
    }
    watch(connection)
    return connection
  }

  private func wait(_ connection: Int32, until end: ContinuousClock.Instant, unless isStopped: () -> Bool)
    throws(Failure)
  {
    while true {
      if isStopped() { throw .stopped }
      guard ContinuousClock.now < end else { throw .unreachable("it does not answer") }
      var place = pollfd(fd: connection, events: Int16(POLLOUT), revents: 0)
      guard poll(&place, 1, Self.step) > 0 else { continue }
      var (number, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
      getsockopt(connection, SOL_SOCKET, SO_ERROR, &number, &length)
      guard number == 0 else { throw Self.unreachable(number) }
      return
    }
  }

  private static func unreachable(_ number: Int32) -> Failure {
    .unreachable(String(cString: strerror(number)).lowercased())
  }

  /// Has the system find out that the other machine is gone: a server that is at work says nothing for minutes.
  private func watch(_ connection: Int32) {
    func set(_ level: Int32, _ option: Int32, _ value: Int32) {
      var value = value
      setsockopt(connection, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, 20)
    set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10)
    set(Int32(IPPROTO_TCP), TCP_KEEPCNT, 4)
    set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 60_000)
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
  }
}

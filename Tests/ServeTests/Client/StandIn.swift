import Foundation
import VL2Base
import VL2Serve

/// A server that does what a test says, at a socket of this machine: one step a connection, the last one again and again.
final class StandIn: Sendable {
  enum Step: Sendable {
    /// Reads the request, sends this and closes.
    case send([UInt8])
    /// The same, byte by byte in so many pieces.
    case pieces([UInt8], Int)
    /// Reads the request, sends this, and then nothing while it is there.
    case hang([UInt8])
    /// Reads the request and sends this until it may not any more.
    case flood([UInt8], again: [UInt8])
    /// Breaks the connection before it read anything.
    case reset
    /// What the request's bytes give.
    case answer(@Sendable (String) -> [UInt8])
  }

  private struct State {
    var requests: [String] = []
    var isOver = false
    var steps: [Step]
  }

  let port: UInt16
  private let listener: Int32
  private let state: Monitor<State>

  init(_ steps: [Step]) throws {
    state = Monitor(State(steps: steps))
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let port = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> UInt16 in
        guard bind(listener, pointer, length) == 0, listen(listener, 64) == 0 else { return 0 }
        getsockname(listener, pointer, &length)
        return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          UInt16(bigEndian: $0.pointee.sin_port)
        }
      }
    }
    guard port != 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    self.port = port
    Thread { [self] in serve() }.start()
  }

  /// What was asked so far, heads and bodies.
  var requests: [String] { state.withLock { $0.requests } }

  /// From now on it does this.
  func goOn(_ steps: [Step]) { state.withLock { $0.steps = steps } }

  func stop() {
    state.change { $0.isOver = true }
    shutdown(listener, Int32(SHUT_RDWR))
  }

  private func serve() {
    while true {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { break }
      let step = state.withLock { state in
        state.steps.count > 1 ? state.steps.removeFirst() : state.steps[0]
      }
      Thread { [self] in
        perform(step, connection)
        close(connection)
      }.start()
    }
    close(listener)
  }

  private func perform(_ step: Step, _ connection: Int32) {
    if case .reset = step {
      var hard = linger(l_onoff: 1, l_linger: 0)
      setsockopt(connection, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
      return
    }
    guard let request = read(connection) else { return }
    state.change { $0.requests.append(request) }
    switch step {
    case .send(let bytes): put(bytes, connection)
    case .pieces(let bytes, let count):
      for piece in stride(from: 0, to: bytes.count, by: max(1, bytes.count / count)) {
        put(Array(bytes[piece..<min(bytes.count, piece + max(1, bytes.count / count))]), connection)
        usleep(1000)
      }
    case .hang(let bytes):
      put(bytes, connection)
      // Until the other side is gone (POLLRDHUP), or the test is over.
      while !state.withLock({ $0.isOver }) {
        var place = pollfd(fd: connection, events: 0x2000, revents: 0)
        if poll(&place, 1, 50) > 0 { return }
      }
    case .flood(let bytes, let again):
      put(bytes, connection)
      while put(again, connection) {}
    case .answer(let make): put(make(request), connection)
    case .reset: break
    }
  }

  private func read(_ connection: Int32) -> String? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      if let end = Data(bytes).range(of: Data("\r\n\r\n".utf8)) {
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let length =
          head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }.flatMap {
            Int($0.dropFirst(16))
          } ?? 0
        if bytes.count >= end.upperBound + length { return String(decoding: bytes, as: UTF8.self) }
      }
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      bytes += buffer[..<count]
    }
  }

  @discardableResult private func put(_ bytes: [UInt8], _ connection: Int32) -> Bool {
    var left = bytes[...]
    while !left.isEmpty {
      let count = left.withUnsafeBytes {
        send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      left = left.dropFirst(count)
    }
    return true
  }
}

/// A response as servers send it.
func response(_ status: Int, _ body: String, _ headers: [String] = []) -> [UInt8] {
  let head = ["HTTP/1.1 \(status) Something", "Content-Length: \(body.utf8.count)"] + headers
  return Array((head.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
}

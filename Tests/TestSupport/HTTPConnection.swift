import Dispatch
import Foundation

/// A response as it came.
public struct HTTPReply: Sendable {
  public var status: Int
  /// Names in lower case.
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]

  public var text: String { String(decoding: body, as: UTF8.self) }

  public func value(_ name: String) -> String? { headers.first { $0.name == name }?.value }

  /// The members of the object in the body.
  public func object() throws -> [String: Any] { try jsonObject(text) }

  /// What came after each `data: ` of an event stream.
  public var events: [String] {
    text.split(separator: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
  }
}

/// A connection to a server on this machine. Calls wait; from tasks they go through `offTasks`.
public final class HTTPConnection: @unchecked Sendable {
  public struct Failure: Error, CustomStringConvertible {
    public var description: String
    public init(description: String) { self.description = description }
  }

  private let descriptor: Int32
  private var waiting: [UInt8] = []

  /// - Parameter patience: seconds after which waiting for bytes fails.
  public init(port: UInt16, patience: Int = Int(TestPatience.limit.components.seconds)) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let isThere = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isThere else { throw Failure(description: "nobody listens at port \(port)") }
    var time = timeval(tv_sec: patience, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  /// Sends bytes; false where the other side takes no more.
  @discardableResult public func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  @discardableResult public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  /// Sends a request.
  public func request(
    _ method: String, _ path: String, headers: [String] = [], host: String? = "127.0.0.1", body: String? = nil
  ) {
    var lines = ["\(method) \(path) HTTP/1.1"] + (host.map { ["Host: \($0)"] } ?? []) + headers
    if let body {
      if !headers.contains(where: { $0.lowercased().hasPrefix("content-type") }) {
        lines.append("Content-Type: application/json")
      }
      lines.append("Content-Length: \(body.utf8.count)")
    }
    send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
  }

  /// The next response; nil where the connection ends before one.
  ///
  /// - Parameter isHead: whether it answers HEAD and has no body.
  public func reply(isHead: Bool = false) throws -> HTTPReply? {
    guard let head = try line(upTo: "\r\n\r\n") else { return nil }
    let lines = head.split(separator: "\r\n")
    let words = lines[0].split(separator: " ")
    guard words.count > 1, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
      throw Failure(description: "no response: \(head.prefix(200))")
    }
    var reply = HTTPReply(status: status, headers: [], body: [])
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      reply.headers.append(
        (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""))
    }
    if status == 100 { return try self.reply(isHead: isHead) }
    if isHead || status == 204 { return reply }
    if reply.value("transfer-encoding") == "chunked" {
      while true {
        guard let size = try line(upTo: "\r\n").flatMap({ Int($0, radix: 16) }) else {
          throw Failure(description: "a chunked body ends early, after: \(reply.text.suffix(300))")
        }
        reply.body += try take(size)
        _ = try take(2)
        if size == 0 { return reply }
      }
    }
    if let length = reply.value("content-length").flatMap({ Int($0) }) {
      reply.body = try take(length)
    } else {
      while try more() {}
      reply.body = waiting
      waiting = []
    }
    return reply
  }

  /// Waits until so many bytes came, and leaves them there for `reply`.
  public func wait(for count: Int) throws {
    while waiting.count < count, try more() {}
  }

  /// Waits until a text has come, so many times, and leaves everything there for `reply`; false where the connection ends
  /// before.
  public func wait(until text: String, count: Int = 1) throws -> Bool {
    while String(decoding: waiting, as: UTF8.self).components(separatedBy: text).count <= count {
      if try !more() { return false }
    }
    return true
  }

  /// Takes everything up to the end of a text; false where the connection ends before.
  public func skip(past text: String) throws -> Bool { try line(upTo: text) != nil }

  /// What has come and was not taken.
  public var text: String { String(decoding: waiting, as: UTF8.self) }

  /// Whether the other side has closed the connection, after everything that was sent is read.
  public func isClosed() throws -> Bool { try waiting.isEmpty && !more() }

  /// Says that nothing more will be sent.
  public func halfClose() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Has the connection reset rather than closed.
  public func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
  }

  private func line(upTo end: String) throws -> String? {
    let end = Array(end.utf8)
    var searched = 0
    while true {
      if waiting.count >= end.count {
        for place in searched...waiting.count - end.count
        where waiting[place..<place + end.count].elementsEqual(end) {
          defer { waiting.removeFirst(place + end.count) }
          return String(decoding: waiting[..<place], as: UTF8.self)
        }
        searched = max(0, waiting.count - end.count + 1)
      }
      if try !more() { return nil }
    }
  }

  private func take(_ count: Int) throws -> [UInt8] {
    while waiting.count < count {
      if try !more() { throw Failure(description: "a body ends after \(waiting.count) of \(count) bytes") }
    }
    defer { waiting.removeFirst(count) }
    return Array(waiting.prefix(count))
  }

  /// Reads what comes next; false at the end of the connection.
  private func more() throws -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    if count < 0, errno == EAGAIN || errno == EWOULDBLOCK {
      throw Failure(description: "nothing comes any more")
    }
    if count <= 0 { return false }
    waiting += buffer[..<count]
    return true
  }
}

/// Runs what waits on a thread of its own, so that tasks go on meanwhile.
public func offTasks<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    Thread { continuation.resume(with: Result { try body() }) }.start()
  }
}

import Glibc

/// Looks at a request before libmicrohttpd does.
///
/// Version 0.9.75 sends the head of a refusal of its own twice where Content-Length is no number and where there is no
/// Host: the client cannot read what it is told. It cuts a header at a byte of zero, so that `127.0.0.1\0.attacker` counts
/// as a name of this machine, and leaves out a header without a name. So these are refused here, in the first request of a
/// connection, as far as it comes in one piece. Later requests come from the same client, and no browser sends a byte of
/// zero.
package enum FirstLook {
  /// What a client is told whose request libmicrohttpd is not to see; nil where it may.
  ///
  /// - Parameter head: the first bytes of a connection.
  package static func refusal(_ head: [UInt8]) -> String? {
    let lines = head.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
      String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }
    // An empty line ends the head.
    guard let end = lines.dropLast().firstIndex(of: "") else { return nil }
    if lines[...end].contains(where: { $0.utf8.contains(0) }) { return "a byte of zero stands in the head" }
    let names = lines[..<end].dropFirst().map { line in
      let name = line.prefix { $0 != ":" }
      return (name.lowercased(), String(line.dropFirst(name.count + 1)).trimmingSpace)
    }
    if names.contains(where: { $0.0.isEmpty }) { return "a header has no name" }
    for (name, value) in names where name == "content-length" {
      // No more digits than any file needs, and libmicrohttpd can count.
      let isNumber =
        (1...18).contains(value.utf8.count) && value.utf8.allSatisfy { (0x30...0x39).contains($0) }
      if !isNumber { return "Content-Length is not a number of bytes" }
    }
    let isNew = lines.first?.hasSuffix(" HTTP/1.1") ?? false
    return isNew && !names.contains { $0.0 == "host" } ? "a request has one Host" : nil
  }

  /// Refuses the request at the beginning of a connection, and ends the connection, if that has to be.
  ///
  /// - Returns: whether it was refused.
  static func take(_ descriptor: Int32, answer: (_ problem: String) -> HTTPResponse) -> Bool {
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    guard count > 0, let problem = refusal(Array(bytes.prefix(count))) else { return false }
    let response = answer(problem)
    var text =
      "HTTP/1.1 \(response.status) Bad Request\r\nConnection: close\r\nContent-Length: \(response.body.count)\r\n"
    for (name, value) in response.headers { text += "\(name): \(value)\r\n" }
    let message = Array((text + "\r\n").utf8) + response.body
    send(descriptor, message, message.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    shutdown(descriptor, Int32(SHUT_RDWR))
    return true
  }
}

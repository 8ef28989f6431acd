/// Finds requests whose end is ambiguous, which libmicrohttpd lets through: a proxy in front might see another end, and
/// take what follows for a request of its own. Source: RFC 9112, section 6.
package enum Framing {
  /// What is wrong with a request's head; nil where nothing is.
  package static func fault(_ head: RequestHead) -> (status: Int, problem: String)? {
    // Longer than any; whoever sends it does not speak HTTP.
    if head.method.utf8.count > 32 { return (501, "the method is no method of HTTP") }
    // A proxy might take `Transfer-Encoding :` for what it looks like.
    for (name, _) in head.headers where name.isEmpty || !name.utf8.allSatisfy(isTokenByte) {
      return (400, "the name of a header has a blank, or a sign that names do not have")
    }
    let lengths = head.values("content-length")
    let encodings = head.values("transfer-encoding")
    if lengths.count > 1 { return (400, "more than one Content-Length") }
    if let length = lengths.first?.trimmingSpace {
      let isNumber =
        !length.isEmpty && length.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      if !isNumber { return (400, "Content-Length is not a number") }
      if !encodings.isEmpty { return (400, "Content-Length beside Transfer-Encoding") }
    }
    if encodings.count > 1 { return (400, "more than one Transfer-Encoding") }
    if let encoding = encodings.first?.trimmingSpace, encoding.lowercased() != "chunked" {
      return (501, "a Transfer-Encoding other than chunked")
    }
    if !encodings.isEmpty, head.version != "HTTP/1.1" {
      return (400, "Transfer-Encoding in a request of \(head.version)")
    }
    // `http://elsewhere/path` and `*` are no paths of this server.
    if head.path.utf8.first != UInt8(ascii: "/") { return (400, "the address does not begin with /") }
    return nil
  }

  /// Whether a byte may stand in a header's name. Source: RFC 9110, section 5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }

  /// The length of the body where the head says it.
  package static func length(_ head: RequestHead) -> Int? {
    head.value("content-length").flatMap { Int($0) ?? .max }
  }

  /// Whether a body follows.
  package static func hasBody(_ head: RequestHead) -> Bool {
    !head.values("transfer-encoding").isEmpty || length(head) ?? 0 > 0
  }

  /// Whether the client sends the body only once it is told to.
  package static func waits(_ head: RequestHead) -> Bool {
    head.version == "HTTP/1.1" && head.value("expect")?.lowercased() == "100-continue"
  }
}

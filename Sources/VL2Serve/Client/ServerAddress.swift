import VL2Base

/// Where a server is: `http://HOST:PORT`, and a path where it does not begin at `/`.
///
/// Nothing is encrypted on the way: it is meant for this machine and for a network of one's own.
package struct ServerAddress: Sendable, Equatable {
  /// A name or an address, without the brackets of an IPv6 one.
  package let host: String
  package let port: UInt16
  /// What stands before `/v1/...`: empty, or a path that begins with a slash and does not end with one.
  package let path: String

  /// As it was given, for messages.
  package let text: String
  /// What the header `Host` says.
  let authority: String

  /// Reads an address. A `/v1` at its end, as OpenAI's clients want it, may be there.
  ///
  /// - Throws: `ServerFault`.
  package init(_ text: String) throws {
    func refuse(_ problem: String, _ hint: Hint) -> ServerFault {
      ServerFault(.usage, "\(UntrustedText.quoted(text)): \(problem)", hint)
    }
    let example: Hint = "give an address as http://192.168.1.20:11434"
    guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw refuse("is no address", example)
    }
    let scheme = text.prefix { $0 != ":" }.lowercased()
    guard scheme == "http", text.dropFirst(4).hasPrefix("://") else {
      throw scheme == "https"
        ? refuse(
          "https is not spoken here",
          "give the http:// address of the server, or of nginx in your own network")
        : refuse("is no http:// address", example)
    }
    let rest = text.dropFirst(7)
    guard !rest.contains(where: { "@?#\\".contains($0) }) else {
      throw refuse("an address has no user, question or fragment", example)
    }
    authority = String(rest.prefix { $0 != "/" })
    var path = String(rest.dropFirst(authority.count))
    while path.hasSuffix("/") { path.removeLast() }
    if path.hasSuffix("/v1") { path.removeLast(3) }
    while path.hasSuffix("/") { path.removeLast() }
    self.path = path
    var (host, port) = (authority[...], "80"[...])
    if let bracket = authority.lastIndex(of: "]") {
      guard authority.hasPrefix("[") else { throw refuse("is no address", example) }
      host = authority[authority.index(after: authority.startIndex)..<bracket]
      let after = authority[authority.index(after: bracket)...]
      guard after.isEmpty || after.hasPrefix(":"), NetworkAddress(String(host))?.bytes.count != 4,
        NetworkAddress(String(host)) != nil
      else { throw refuse("is no address", example) }
      if !after.isEmpty { port = after.dropFirst() }
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      port = authority[authority.index(after: colon)...]
    }
    guard !host.isEmpty, host.utf8.count < 256 else { throw refuse("names no host", example) }
    guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port), number > 0 else {
      throw refuse("its port is no number from 1 to 65535", example)
    }
    self.host = String(host)
    self.port = number
    self.text = text
  }
}

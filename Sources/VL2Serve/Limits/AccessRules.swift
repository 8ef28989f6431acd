import Glibc
import VL2Base

/// Who may ask.
package struct AccessRules: Sendable {
  /// SHA-256 of each key.
  private let keys: [[UInt8]]
  /// Addresses that need no key; where there are no keys, the only ones that may ask.
  private let networks: [AddressRange]
  /// Further names that this server has, in lower case.
  private let names: Set<String>
  private let machine: String

  package init(keys: [String] = [], networks: [AddressRange] = [], names: [String] = []) {
    self.keys = keys.map(Self.digest)
    self.networks = networks
    self.names = Set(names.map { $0.lowercased() })
    machine = Self.machineName
  }

  /// Refuses a request that does not come from whom it may.
  ///
  /// - Parameter isPublic: whether it needs no key.
  package func refusal(of head: RequestHead, isPublic: Bool) -> RequestError? {
    refusalOfHost(head) ?? refusalOfOrigin(head) ?? refusalOfCaller(head, isPublic: isPublic)
  }

  // MARK: names

  /// A page from elsewhere, whose name was made to lead here, says that name (DNS rebinding).
  private func refusalOfHost(_ head: RequestHead) -> RequestError? {
    let hosts = head.values("host")
    guard hosts.count == 1, let authority = Authority(hosts[0].trimmingSpace) else {
      return RequestError(status: 400, "a request has one Host, which is a name and perhaps a port")
    }
    if isOurs(authority.host, head) { return nil }
    return RequestError(
      status: 403, type: "permission_error",
      "\(UntrustedText.quoted(authority.host)) is no name of this server; start it with --allow-host to add one",
      code: "host_not_allowed")
  }

  private func isOurs(_ host: String, _ head: RequestHead) -> Bool {
    if let address = NetworkAddress(host) {
      return address.isLoopback || address == head.local || names.contains(host)
    }
    // Names under .local are given out on this network, by multicast DNS, and nowhere else.
    return host == "localhost" || host == machine || host.hasSuffix(".local") || names.contains(host)
  }

  /// A page of another site may send requests, though it may not read what comes back.
  private func refusalOfOrigin(_ head: RequestHead) -> RequestError? {
    let origins = head.values("origin")
    if origins.isEmpty { return nil }
    let host = head.value("host")?.lowercased() ?? ""
    let isOurs =
      origins.count == 1
      && ["http://" + host, "https://" + host].contains(origins[0].trimmingSpace.lowercased())
    if isOurs { return nil }
    return RequestError(
      status: 403, type: "permission_error", "requests from pages of other sites are refused",
      code: "origin_not_allowed")
  }

  private static var machineName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, 255) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
  }

  // MARK: callers

  private func refusalOfCaller(_ head: RequestHead, isPublic: Bool) -> RequestError? {
    let isInside = head.client.map { client in networks.contains { $0.contains(client) } } ?? false
    if keys.isEmpty {
      let isAllowed = networks.isEmpty || isInside || head.client?.isLoopback ?? false
      return isAllowed
        ? nil
        : RequestError(
          status: 403, type: "permission_error",
          "this address may not ask; start the server with --allow to let it",
          code: "address_not_allowed")
    }
    if isPublic || isInside { return nil }
    if let key = Self.key(head), isKnown(key) { return nil }
    var error = RequestError(
      status: 401, type: "authentication_error",
      "give a key of this server: Authorization: Bearer KEY", code: "invalid_api_key")
    error.headers = [("WWW-Authenticate", "Bearer")]
    return error
  }

  private static func key(_ head: RequestHead) -> String? {
    let given = head.values("authorization") + head.values("x-api-key")
    guard given.count == 1 else { return nil }
    guard let authorization = head.value("authorization") else { return head.value("x-api-key") }
    let words = authorization.split(separator: " ", maxSplits: 1)
    guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
    return String(words[1]).trimmingSpace
  }

  /// Compares with every key, and every byte, so that the time says nothing of them.
  private func isKnown(_ key: String) -> Bool {
    let digest = Self.digest(key)
    var found: UInt8 = 0
    for known in keys {
      let difference = zip(known, digest).reduce(0) { $0 | ($1.0 ^ $1.1) }
      found |= difference == 0 ? 1 : 0
    }
    return found == 1
  }

  private static func digest(_ key: String) -> [UInt8] {
    Array(Array(key.utf8).withUnsafeBytes(sha256Hexadecimal).utf8)
  }
}

/// A host and perhaps a port, as in `Host`.
struct Authority {
  /// In lower case; an IPv6 address without its brackets.
  var host: String

  init?(_ text: String) {
    var host = Substring(text)
    var port: Substring?
    if host.first == "[" {
      guard let end = host.firstIndex(of: "]") else { return nil }
      let rest = host[host.index(after: end)...]
      host = host[host.index(after: host.startIndex)..<end]
      guard rest.isEmpty || rest.first == ":" else { return nil }
      port = rest.isEmpty ? nil : rest.dropFirst()
      guard NetworkAddress(String(host)) != nil else { return nil }
    } else if let colon = host.firstIndex(of: ":") {
      port = host[host.index(after: colon)...]
      host = host[..<colon]
    }
    if let port, !(1...5).contains(port.utf8.count) || !port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      return nil
    }
    let isName = host.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":")].contains(byte)
    }
    guard !host.isEmpty, host.utf8.count <= 253, isName else { return nil }
    self.host = host.lowercased()
  }
}

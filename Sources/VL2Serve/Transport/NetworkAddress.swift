import Glibc

/// An address of the Internet Protocol, version 4 or 6.
package struct NetworkAddress: Hashable, Sendable {
  /// 4 or 16 bytes, the most significant first.
  package let bytes: [UInt8]

  /// Reads `192.168.1.5` or `fe80::1`; nil for anything else.
  package init?(_ text: String) {
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      self.init(four: withUnsafeBytes(of: &four) { Array($0) })
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      self.init(sixteen: withUnsafeBytes(of: &six) { Array($0) })
    } else {
      return nil
    }
  }

  /// nil for an address of another family.
  init?(_ address: UnsafePointer<sockaddr>) {
    switch Int32(address.pointee.sa_family) {
    case AF_INET:
      self.init(
        four: address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { four in
          withUnsafeBytes(of: four.pointee.sin_addr) { Array($0) }
        })
    case AF_INET6:
      self.init(
        sixteen: address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { six in
          withUnsafeBytes(of: six.pointee.sin6_addr) { Array($0) }
        })
    default: return nil
    }
  }

  /// An IPv4 address that is written as an IPv6 one is the IPv4 one.
  private init(sixteen: [UInt8]) {
    let prefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    bytes = Array(sixteen.starts(with: prefix) ? sixteen.dropFirst(12) : sixteen[...])
  }

  package static let loopback = NetworkAddress(four: [127, 0, 0, 1])

  private init(four: [UInt8]) { bytes = four }

  package var isLoopback: Bool {
    bytes.count == 4 ? bytes[0] == 127 : bytes == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
  }

  /// Whether it stands for every address of this machine.
  package var isAny: Bool { bytes.allSatisfy { $0 == 0 } }

  /// As it stands in a URL: an IPv6 address is in brackets.
  package var urlText: String { bytes.count == 4 ? description : "[\(description)]" }

  /// Calls `body` with the address of a socket.
  func withSocketAddress<Result>(
    port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
  ) rethrows -> Result {
    func call<Address>(_ address: Address) throws -> Result {
      try withUnsafePointer(to: address) { pointer in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          try body($0, socklen_t(MemoryLayout<Address>.size))
        }
      }
    }
    if bytes.count == 4 {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
      return try call(address)
    }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
    return try call(address)
  }
}

extension NetworkAddress: CustomStringConvertible {
  package var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    _ = bytes.withUnsafeBytes {
      inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, $0.baseAddress, &text, socklen_t(text.count))
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

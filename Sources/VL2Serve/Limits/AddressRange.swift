/// Addresses that begin with the same bits: `192.168.1.0/24`.
package struct AddressRange: Sendable, Equatable {
  private let first: NetworkAddress
  private let bits: Int

  /// Reads an address, or an address and how many of its bits count; nil for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let address = NetworkAddress(String(parts[0])) else { return nil }
    let all = 8 * address.bytes.count
    let bits = parts.count == 2 ? Int(parts[1]) : all
    guard let bits, (0...all).contains(bits) else { return nil }
    first = address
    self.bits = bits
  }

  package func contains(_ address: NetworkAddress) -> Bool {
    guard address.bytes.count == first.bytes.count else { return false }
    return (0..<address.bytes.count).allSatisfy { index in
      let count = min(8, max(0, bits - 8 * index))
      let mask = UInt8(truncatingIfNeeded: 0xFF00 >> count)
      return (address.bytes[index] ^ first.bytes[index]) & mask == 0
    }
  }
}

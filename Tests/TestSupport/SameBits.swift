/// Whether two rows are equal bit for bit.
public func sameBits(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Bool {
  (0..<count).allSatisfy { a[$0].bitPattern == b[$0].bitPattern }
}

/// FNV-1a (64 bits) over numbers, four little-endian bytes each, in hexadecimal.
public func fnv1a(_ numbers: some Sequence<Int>) -> String {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for number in numbers {
    for shift in stride(from: 0, to: 32, by: 8) {
      hash = (hash ^ UInt64(number >> shift & 0xFF)) &* 0x100_0000_01B3
    }
  }
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

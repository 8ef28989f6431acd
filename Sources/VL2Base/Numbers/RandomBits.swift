/// Random numbers that are the same on every machine, for work whose content does not matter but must not
/// change.
///
/// SplitMix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
package struct RandomBits {
  private var state: UInt64

  package init(state: UInt64) { self.state = state }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// In 0..<1.
  package mutating func unit() -> Float { Float(next() >> 40) / 16_777_216 }

  /// Roughly normal with variance 1: four uniform draws of 16 bits.
  package mutating func normal() -> Float {
    let bits = next()
    var sum: UInt64 = 0
    for part in 0..<4 { sum += bits >> UInt64(16 * part) & 0xFFFF }
    return (Float(sum) / 65_536 - 2) * 1.732_050_8
  }

  /// `count` numbers in 0..<bound.
  package mutating func numbers(_ count: Int, below bound: Int) -> [Int] {
    (0..<count).map { _ in Int(next() % UInt64(bound)) }
  }

  /// Fills `out`. Its length must be a multiple of 8.
  package mutating func fill(_ out: UnsafeMutableRawBufferPointer) {
    for offset in stride(from: 0, to: out.count, by: 8) {
      out.storeBytes(of: next().littleEndian, toByteOffset: offset, as: UInt64.self)
    }
  }
}

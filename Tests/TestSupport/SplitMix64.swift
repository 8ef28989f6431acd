/// SplitMix64: the same numbers on every machine. Source: Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", 2014.
public struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  public init(seed: UInt64) { state = seed }
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A float32 in -1..<1.
  public mutating func signedUnit() -> Float {
    Float(Int32(truncatingIfNeeded: next() >> 32)) / 2_147_483_648
  }

  /// Roughly normal with variance 1 (sum of twelve uniform draws), the same bits everywhere.
  public mutating func normal() -> Float {
    var sum: Float = 0
    for _ in 0..<12 { sum += Float(next() >> 40) / 16_777_216 }
    return sum - 6
  }
}

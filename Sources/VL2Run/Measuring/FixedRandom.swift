/// The same numbers on every machine, for work whose content does not matter but must not change.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 (SplitMix64).
struct FixedRandom {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// `count` numbers of 0..<bound.
  mutating func numbers(_ count: Int, below bound: Int) -> [Int] {
    (0..<count).map { _ in Int(next() % UInt64(bound)) }
  }

  /// A picture of noise.
  mutating func picture(width: Int, height: Int) -> Picture {
    let pixels = (0..<width * height * 3).map { _ in UInt8(truncatingIfNeeded: next()) }
    return Picture(width: width, height: height, pixels: pixels)
  }
}

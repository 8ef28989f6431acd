import VL2Quant

extension RandomBits {
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

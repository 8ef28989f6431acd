import VL2Base

extension RandomBits {
  /// A picture of noise.
  package mutating func picture(width: Int, height: Int) -> Picture {
    let pixels = (0..<width * height * 3).map { _ in UInt8(truncatingIfNeeded: next()) }
    return Picture(width: width, height: height, pixels: pixels)
  }
}

/// Whether a picture's local tiles that look as they did in the last picture are encoded again.
///
/// With a camera that stands still, most are as they were. The whole view is encoded again unless all of its pixels are
/// equal.
public enum TileReuse: Sendable, Hashable {
  /// All are.
  case off
  /// Tiles whose pixels are equal keep their encoding, which is the same to the last bit.
  case exact
  /// So do local tiles in which no block of 8 x 8 pixels changed by more than this, as a mean over the block of one
  /// colour, in steps of 0...255. What changed since a tile was encoded counts, so that small changes do not add up.
  case threshold(Double)

  /// How much a block may change; nil where pixels have to be equal.
  package var largestChange: Double? {
    if case .threshold(let change) = self { change } else { nil }
  }
}

/// How much one tile differs from another.
package enum TileChange {
  /// Side of a block, in pixels. Noise of single pixels and what compression makes of it are lost in a mean over 64, while
  /// a thing that covers a part of a block still moves it: one as thin as a letter's line does.
  static let blockSide = 8

  /// The largest change of a block's mean in one colour. What is left over at the right and lower edges belongs to the
  /// last blocks.
  ///
  /// - Parameters: RGB bytes, [side][side][3].
  package static func largest(
    from before: UnsafePointer<UInt8>, to now: UnsafePointer<UInt8>, side: Int
  ) -> Double {
    let blocks = max(1, side / blockSide)
    func start(_ block: Int) -> Int { block == blocks ? side : block * blockSide }
    var sums = [Int32](repeating: 0, count: 3 * blocks)
    var largest = 0.0
    for row in 0..<blocks {
      for index in sums.indices { sums[index] = 0 }
      for y in start(row)..<start(row + 1) {
        for block in 0..<blocks {
          var (red, green, blue): (Int32, Int32, Int32) = (0, 0, 0)
          for x in start(block)..<start(block + 1) {
            let index = (y * side + x) * 3
            red += Int32(now[index]) - Int32(before[index])
            green += Int32(now[index + 1]) - Int32(before[index + 1])
            blue += Int32(now[index + 2]) - Int32(before[index + 2])
          }
          sums[3 * block] += red
          sums[3 * block + 1] += green
          sums[3 * block + 2] += blue
        }
      }
      for block in 0..<blocks {
        let pixels = (start(row + 1) - start(row)) * (start(block + 1) - start(block))
        for channel in 0..<3 {
          largest = max(largest, Double(abs(sums[3 * block + channel])) / Double(pixels))
        }
      }
    }
    return largest
  }
}

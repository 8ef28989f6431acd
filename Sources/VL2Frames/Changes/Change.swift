/// How much of a picture differs from another one, in blocks of cells.
///
/// What is compared is the local pattern (`LocalPattern`), in which light of a large scale is gone; how strong it is, which
/// fog and a camera's own contrast change, is evened out for the picture and then for the neighbourhood of each block, within
/// bounds, so that what vanishes is not taken for low contrast.
package struct Change: Sendable {
  /// Cells along a block's side.
  static let side = 8

  /// Blocks in a row.
  package let columns: Int
  /// Of each block, the difference of its patterns, in logarithms of brightness. [rows][columns].
  package let blocks: [Float]

  /// nil where the pictures have different sizes.
  package init?(from before: LocalPattern, to now: LocalPattern) {
    let small = now.small
    guard before.small.width == small.width, before.small.height == small.height else { return nil }
    let (before, now) = LocalPattern.inEqualLight(before, now)
    columns = (small.width + Self.side - 1) / Self.side
    var blocks = [Float](repeating: 0, count: columns * ((small.height + Self.side - 1) / Self.side))
    for (channel, weight) in [Float(1), 0.6, 0.6].enumerated() {
      let strength = BlockSums(before.channels[channel], now.channels[channel], small, columns)
      var difference = [Float](repeating: 0, count: small.width * small.height)
      for y in 0..<small.height {
        for x in 0..<small.width {
          let index = y * small.width + x
          guard small.counts[index] else { continue }
          let gain = strength.gains[y / Self.side * columns + x / Self.side]
          let value = now.channels[channel][index] - gain * before.channels[channel][index]
          difference[index] =
            Self.isClipped(value, before.small.brightness[index], small.brightness[index]) ? 0 : value
        }
      }
      let scores = Self.scores(difference, small, columns)
      for index in blocks.indices { blocks[index] = max(blocks[index], weight * scores[index]) }
    }
    self.blocks = blocks
  }

  /// What is as bright as the camera can tell would be brighter yet, so it may seem to have lost what its surroundings won;
  /// and so with black.
  private static func isClipped(_ difference: Float, _ before: Float, _ now: Float) -> Bool {
    difference < 0 ? now > 248 || before < 3 : before > 248 || now < 3
  }

  /// Of each block the root of the mean square, after the mean of a cell and its neighbours was taken, in which the noise of
  /// single cells is lost.
  private static func scores(_ difference: [Float], _ small: SmallPicture, _ columns: Int) -> [Float] {
    let (width, height) = (small.width, small.height)
    var sums = [Float](repeating: 0, count: columns * ((height + side - 1) / side))
    var counts = sums
    for y in 0..<height {
      for x in 0..<width where small.counts[y * width + x] {
        var (sum, count): (Float, Float) = (0, 0)
        for row in max(0, y - 1)...min(height - 1, y + 1) {
          for column in max(0, x - 1)...min(width - 1, x + 1) where small.counts[row * width + column] {
            sum += difference[row * width + column]
            count += 1
          }
        }
        let mean = sum / count
        let block = y / side * columns + x / side
        sums[block] += mean * mean
        counts[block] += 1
      }
    }
    // A block of a few cells, at an edge or a part that is left out, is no more than these few.
    return zip(sums, counts).map { ($0 / max($1, Float(side * side / 2))).squareRoot() }
  }

  /// What blocks differ by where nothing has changed: the middle one.
  package var middle: Float { blocks.sorted()[blocks.count / 2] }

  /// Whether something is there that was not, or is gone: a block that is clear, or two that touch.
  ///
  /// - Parameter noise: what frames of a scene that stands still differ by (`middle`).
  package func isChange(noise: Float) -> Bool {
    let least = min(max(Self.least, 3 * noise), Self.most)
    for (index, score) in blocks.enumerated() where score > least {
      if score > 1.5 * least { return true }
      let (row, column) = (index / columns, index % columns)
      for (down, right) in [(0, 1), (1, -1), (1, 0), (1, 1)] {
        let (y, x) = (row + down, column + right)
        guard y * columns + x < blocks.count, x >= 0, x < columns else { continue }
        if blocks[y * columns + x] > least { return true }
      }
    }
    return false
  }

  /// A twentieth of the brightness.
  private static let least: Float = 0.05
  private static let most: Float = 0.15
}

/// How strong the patterns of two pictures are, by blocks.
private struct BlockSums {
  /// Of each block, by what the earlier pattern is multiplied to be as strong as the later one.
  let gains: [Float]

  /// By how much less or more than 1 the whole picture's pattern may be stronger, and that of a place than the whole's: a thing
  /// that takes another color changes its pattern by more.
  private static let bounds: (overall: Float, local: Float) = (0.8, 0.85)

  init(_ before: [Float], _ now: [Float], _ small: SmallPicture, _ columns: Int) {
    let side = Change.side
    let rows = (small.height + side - 1) / side
    var own = [Float](repeating: 0, count: columns * rows)
    var (both, later) = (own, own)
    for y in 0..<small.height {
      for x in 0..<small.width {
        let (index, block) = (y * small.width + x, y / side * columns + x / side)
        own[block] += before[index] * before[index]
        both[block] += before[index] * now[index]
        later[block] += now[index] * now[index]
      }
    }
    // As much as noise has, so that a picture without a pattern leaves the gain at 1.
    let least = Float(side * side) * 0.01 * 0.01
    let overall = Self.overall(own, later, least: 4 * least)
    gains = own.indices.map { block in
      let (row, column) = (block / columns, block % columns)
      var (ownSum, bothSum): (Float, Float) = (25 * least, 25 * least * overall)
      for y in max(0, row - 2)...min(rows - 1, row + 2) {
        for x in max(0, column - 2)...min(columns - 1, column + 2) {
          ownSum += own[y * columns + x]
          bothSum += both[y * columns + x]
        }
      }
      return min(max(bothSum / ownSum, Self.bounds.local * overall), overall / Self.bounds.local)
    }
  }

  /// By what the whole pattern is stronger than it was: the middle one of the blocks that have a pattern, each counted as often
  /// as it is strong. What comes or goes in some of them does not count. Noise is weak, and as strong as before: of a picture
  /// with a few things before a dark wall, it must not be what is measured.
  private static func overall(_ own: [Float], _ later: [Float], least: Float) -> Float {
    let ratios = own.indices.filter { own[$0] > least }
      .map { (ratio: (later[$0] / own[$0]).squareRoot(), weight: own[$0]) }
      .sorted { $0.ratio < $1.ratio }
    let half = ratios.reduce(0) { $0 + $1.weight } / 2
    var weight: Float = 0
    let middle = ratios.first { entry in
      weight += entry.weight
      return weight >= half
    }
    // Of a thing alone in a plain room nobody knows whether its color has changed or the camera's contrast.
    let share = min(1, 4 * Float(ratios.count) / Float(own.count))
    let bound = 1 - share * (1 - bounds.overall)
    return min(max(middle?.ratio ?? 1, bound), 1 / bound)
  }
}

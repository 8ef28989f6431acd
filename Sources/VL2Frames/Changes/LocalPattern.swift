/// A small picture without the light that falls on it: of each cell, how much it differs from the mean around.
package struct LocalPattern: Sendable {
  let small: SmallPicture
  /// As `SmallPicture.channels`.
  let channels: [[Float]]

  package init(_ small: SmallPicture) {
    self.small = small
    channels = small.channels.map { LocalMeans.difference($0, small) }
  }
}

/// Means around cells.
enum LocalMeans {
  /// Cells on each side.
  private static let reach = 8

  /// Each value without the mean around it. Near an edge the part that is averaged is smaller and the cell stays in its
  /// middle, so that of light which grows evenly nothing is left there either.
  static func difference(_ values: [Float], _ small: SmallPicture) -> [Float] {
    let (width, height) = (small.width, small.height)
    let columns = width + 1
    // Sums of everything above and to the left.
    var sums = [Double](repeating: 0, count: columns * (height + 1))
    var counts = sums
    for y in 0..<height {
      var (sum, count) = (0.0, 0.0)
      for x in 0..<width {
        if small.counts[y * width + x] {
          sum += Double(values[y * width + x])
          count += 1
        }
        let place = (y + 1) * columns + x + 1
        sums[place] = sums[place - columns] + sum
        counts[place] = counts[place - columns] + count
      }
    }
    var result = [Float](repeating: 0, count: width * height)
    for y in 0..<height {
      let tall = min(reach, y, height - 1 - y)
      for x in 0..<width where small.counts[y * width + x] {
        let wide = min(reach, x, width - 1 - x)
        let (first, last) = ((y - tall) * columns, (y + tall + 1) * columns)
        let (left, right) = (x - wide, x + wide + 1)
        func total(_ table: [Double]) -> Double {
          table[last + right] - table[first + right] - table[last + left] + table[first + left]
        }
        result[y * width + x] = values[y * width + x] - Float(total(sums) / total(counts))
      }
    }
    return result
  }
}

/// What is around the cells of a small picture.
struct Surroundings {
  /// Cells on each side.
  private static let reach = 8

  private let small: SmallPicture
  /// How many cells count.
  private let counts: SumTable

  init(_ small: SmallPicture) {
    self.small = small
    counts = SumTable(small.width, small.height) { small.counts[$0] ? 1 : 0 }
  }

  /// The mean around each cell, of those that count.
  func means(_ values: [Float]) -> [Float] {
    let sums = table { Double(values[$0]) }
    return cells { x, y in
      let columns = max(0, x - Self.reach)..<min(small.width, x + Self.reach + 1)
      let rows = max(0, y - Self.reach)..<min(small.height, y + Self.reach + 1)
      return Float(sums.total(columns, rows) / max(1, counts.total(columns, rows)))
    }
  }

  /// Each value without the light around it, which is taken for a plane: of light that grows evenly nothing is left.
  ///
  /// The window has the same size everywhere; near an edge it reaches as much farther to the other side. A window that grows
  /// small there would lie within a thing in a corner, of which then nothing is seen.
  func difference(_ values: [Float]) -> [Float] {
    let sums = table { Double(values[$0]) }
    let acrossSums = table { Double(values[$0]) * Double($0 % small.width) }
    let downSums = table { Double(values[$0]) * Double($0 / small.width) }
    let wide = min(2 * Self.reach + 1, small.width)
    let tall = min(2 * Self.reach + 1, small.height)
    let count = Double(wide * tall)
    return cells { x, y in
      let left = min(max(0, x - Self.reach), small.width - wide)
      let top = min(max(0, y - Self.reach), small.height - tall)
      let (columns, rows) = (left..<left + wide, top..<top + tall)
      guard counts.total(columns, rows) == count else {
        return values[y * small.width + x] - mean(sums, x, y)
      }
      let sum = sums.total(columns, rows)
      let (middleX, middleY) = (Double(2 * left + wide - 1) / 2, Double(2 * top + tall - 1) / 2)
      var around = sum / count
      // The slopes of the plane with the least squares of differences.
      if Double(x) != middleX {
        let slope = acrossSums.total(columns, rows) - middleX * sum
        around += 12 * slope / (count * Double(wide * wide - 1)) * (Double(x) - middleX)
      }
      if Double(y) != middleY {
        let slope = downSums.total(columns, rows) - middleY * sum
        around += 12 * slope / (count * Double(tall * tall - 1)) * (Double(y) - middleY)
      }
      return values[y * small.width + x] - Float(around)
    }
  }

  /// The mean of the cells that count, where some do not. The cell stays in the window's middle.
  private func mean(_ sums: SumTable, _ x: Int, _ y: Int) -> Float {
    let wide = min(Self.reach, x, small.width - 1 - x)
    let tall = min(Self.reach, y, small.height - 1 - y)
    let (columns, rows) = (x - wide..<x + wide + 1, y - tall..<y + tall + 1)
    return Float(sums.total(columns, rows) / counts.total(columns, rows))
  }

  private func table(_ value: (Int) -> Double) -> SumTable {
    SumTable(small.width, small.height) { small.counts[$0] ? value($0) : 0 }
  }

  /// Of each cell that counts a value, of others 0.
  private func cells(_ value: (_ x: Int, _ y: Int) -> Float) -> [Float] {
    var result = [Float](repeating: 0, count: small.width * small.height)
    for y in 0..<small.height {
      for x in 0..<small.width where small.counts[y * small.width + x] {
        result[y * small.width + x] = value(x, y)
      }
    }
    return result
  }
}

/// Sums over rectangles of cells, each in a few steps.
private struct SumTable {
  private let columns: Int
  /// Sums of everything above and to the left.
  private var sums: [Double]

  init(_ width: Int, _ height: Int, _ value: (Int) -> Double) {
    columns = width + 1
    sums = [Double](repeating: 0, count: columns * (height + 1))
    for y in 0..<height {
      var sum = 0.0
      for x in 0..<width {
        sum += value(y * width + x)
        let place = (y + 1) * columns + x + 1
        sums[place] = sums[place - columns] + sum
      }
    }
  }

  func total(_ across: Range<Int>, _ down: Range<Int>) -> Double {
    let (first, last) = (down.lowerBound * columns, down.upperBound * columns)
    return sums[last + across.upperBound] - sums[first + across.upperBound] - sums[last + across.lowerBound]
      + sums[first + across.lowerBound]
  }
}

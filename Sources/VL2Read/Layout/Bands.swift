import VL2Frames

/// A part of a block, as high as is read at once.
package struct Band: Sendable, Equatable {
  /// What is between a band and the one before it.
  package enum Seam: Sendable, Equatable {
    /// It is the first one.
    case none
    /// Empty rows, as between lines.
    case line
    /// More of them than between lines.
    case paragraph
    /// There are no empty rows: both bands show what is around the cut.
    case overlap
  }

  package var region: FrameRegion
  /// Lines in it, as rows of the picture.
  package var lines: [Range<Int>]
  package var seam: Seam
}

/// Cuts blocks into bands. Bands of one block cover it without a gap. They are cut in the middle of empty rows and then do not
/// overlap, so no line is in two of them and none is in two pieces; where a line is higher than a band may be, and so there are
/// no empty rows to cut at, they overlap.
package struct BandCutter: Sendable {
  /// The most rows of a band.
  package var mostHeight: Int
  /// The most lines of a band.
  package var mostLines: Int

  package init(mostHeight: Int, mostLines: Int = .max) {
    self.mostHeight = max(1, mostHeight)
    self.mostLines = max(1, mostLines)
  }

  package func bands(_ block: FrameRegion, _ ink: Ink) -> [Band] {
    let lines = TextLines(rows: ink.rows(block), top: block.top)
    return cut(Band(region: block, lines: lines.lines, seam: .none), usualGap: lines.usualGap)
  }

  private func cut(_ block: Band, usualGap: Int) -> [Band] {
    let (lines, bottom) = (block.lines, block.region.top + block.region.height)
    guard !lines.isEmpty else { return [block] }
    var bands: [Band] = []
    var (first, top, seam) = (0, block.region.top, block.seam)
    while first < lines.count {
      var end = first + 1
      // Where it is cut after each line.
      func cut(after index: Int) -> Int {
        index + 1 == lines.count ? bottom : (lines[index].upperBound + lines[index + 1].lowerBound) / 2
      }
      while end < lines.count, end - first < mostLines, cut(after: end) - top <= mostHeight { end += 1 }
      if end < lines.count, mostLines > 1 {
        // Rather where clearly more is empty, if that is not far.
        let far = first + max(1, (end - first) * 2 / 3)
        let widest = (far...end).max { gap(lines, after: $0 - 1) < gap(lines, after: $1 - 1) } ?? end
        if 2 * gap(lines, after: widest - 1) > 3 * gap(lines, after: end - 1) { end = widest }
      }
      let cutRow = cut(after: end - 1)
      let region = FrameRegion(
        left: block.region.left, top: top, width: block.region.width, height: cutRow - top)
      bands += pieces(Band(region: region, lines: Array(lines[first..<end]), seam: seam))
      if end < lines.count { seam = 2 * gap(lines, after: end - 1) > 3 * usualGap ? .paragraph : .line }
      (first, top) = (end, cutRow)
    }
    return bands
  }

  private func gap(_ lines: [Range<Int>], after index: Int) -> Int {
    index + 1 < lines.count ? lines[index + 1].lowerBound - lines[index].upperBound : 0
  }

  /// A band of one line that is too high is cut where there is ink.
  private func pieces(_ band: Band) -> [Band] {
    guard band.lines.count == 1, band.lines[0].count > mostHeight else { return [band] }
    return Self.overlapping(band, mostHeight: mostHeight)
  }

  /// Pieces of equal height, each of which shows the last quarter of the one before once more.
  static func overlapping(_ band: Band, mostHeight: Int) -> [Band] {
    let height = band.region.height
    guard height > mostHeight, mostHeight >= 8 else { return [band] }
    let step = max(1, mostHeight * 3 / 4)
    let count = (height - mostHeight + step - 1) / step + 1
    return (0..<count).map { index in
      let top = index == count - 1 ? height - mostHeight : index * step
      let region = FrameRegion(
        left: band.region.left, top: band.region.top + top, width: band.region.width, height: mostHeight)
      return Band(region: region, lines: [], seam: index == 0 ? band.seam : .overlap)
    }
  }

  /// Rows from which on something without empty rows is not believed to be one line.
  private static let leastUnknown = 96

  /// Two parts of a band that turned out to be too much; nil where it cannot be divided.
  package static func halves(_ band: Band) -> [Band]? {
    guard band.lines.count > 1 else {
      // One line, or what has no empty rows because of what is between its lines: nothing is known of that.
      guard band.lines.first?.count ?? band.region.height >= leastUnknown else { return nil }
      let parts = overlapping(band, mostHeight: band.region.height * 5 / 8)
      return parts.count > 1 ? parts : nil
    }
    let cutter = BandCutter(mostHeight: .max, mostLines: (band.lines.count + 1) / 2)
    let gaps = zip(band.lines, band.lines.dropFirst()).map { $1.lowerBound - $0.upperBound }.sorted()
    return cutter.cut(band, usualGap: gaps[gaps.count / 2])
  }
}

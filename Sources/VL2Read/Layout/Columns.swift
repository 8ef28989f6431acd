import VL2Frames

/// How a page is divided into columns.
package enum ColumnCount: Sendable, Equatable {
  /// As the page looks.
  case found
  /// So many, where there are gaps for them.
  case fixed(Int)
}

/// The blocks of a page in the order in which they are read: what stands above columns, these from the left to the right, what
/// stands below.
///
/// Columns are told from tables by their lines, which fill at least half of the width; numbers and names in a table do not.
package enum Columns {
  /// A group of lines one below the other, and the upright gaps that go through all of them.
  private struct Group {
    var lines: Range<Int>
    var gaps: [Range<Int>]
  }

  package static func blocks(_ ink: Ink, in content: FrameRegion, _ count: ColumnCount) -> [FrameRegion] {
    guard count != .fixed(1) else { return [content] }
    let lines = TextLines(rows: ink.rows(content), top: content.top).lines
    let least = max(8, content.width / 50)
    // Pages whose columns do not stand on common lines are one long line here, which its gaps divide.
    var parts: [(rows: Range<Int>, columns: [Range<Int>])] = []
    for group in groups(lines, ink, content, least) {
      let rows = lines[group.lines.lowerBound].lowerBound..<lines[group.lines.upperBound - 1].upperBound
      let columns = columns(group.gaps, rows, ink, content, count)
      if columns.count == 1, let last = parts.last, last.columns.count == 1 {
        parts[parts.count - 1].rows = last.rows.lowerBound..<rows.upperBound
      } else {
        parts.append((rows, columns))
      }
    }
    return regions(parts, content)
  }

  /// The parts with the paper around them: each ends in the middle of the empty rows before the next.
  private static func regions(
    _ parts: [(rows: Range<Int>, columns: [Range<Int>])], _ content: FrameRegion
  ) -> [FrameRegion] {
    var top = content.top
    var regions: [FrameRegion] = []
    for (index, part) in parts.enumerated() {
      let isLast = index == parts.count - 1
      let bottom =
        isLast ? content.top + content.height : (part.rows.upperBound + parts[index + 1].rows.lowerBound) / 2
      for column in part.columns {
        regions.append(
          FrameRegion(left: column.lowerBound, top: top, width: column.count, height: bottom - top))
      }
      top = bottom
    }
    return regions.isEmpty ? [content] : regions
  }

  private static func groups(
    _ lines: [Range<Int>], _ ink: Ink, _ content: FrameRegion, _ least: Int
  ) -> [Group] {
    var groups: [Group] = []
    for (index, line) in lines.enumerated() {
      let own = gaps(
        ink.columns(
          FrameRegion(left: content.left, top: line.lowerBound, width: content.width, height: line.count)),
        content, least)
      if var last = groups.last {
        last.gaps = common(last.gaps, own, least)
        last.lines = last.lines.lowerBound..<index + 1
        if !last.gaps.isEmpty || groups[groups.count - 1].gaps.isEmpty && own.isEmpty {
          groups[groups.count - 1] = last
          continue
        }
      }
      groups.append(Group(lines: index..<index + 1, gaps: own))
    }
    return groups
  }

  /// Columns of the picture without ink, where they are wide enough; those at the edges, which are the page's margins, do not
  /// count.
  private static func gaps(_ counts: [Int], _ content: FrameRegion, _ least: Int) -> [Range<Int>] {
    let middle = content.left + content.width / 6..<content.left + content.width * 5 / 6
    var gaps: [Range<Int>] = []
    var begin = 0
    for (index, count) in (counts + [1]).enumerated() where count > 0 {
      let gap = (content.left + begin..<content.left + index).clamped(to: middle)
      if gap.count >= least { gaps.append(gap) }
      begin = index + 1
    }
    return gaps
  }

  private static func common(_ one: [Range<Int>], _ other: [Range<Int>], _ least: Int) -> [Range<Int>] {
    one.flatMap { first in other.map { first.clamped(to: $0) } }.filter { $0.count >= least }
  }

  /// The columns of a part of the page, as ranges of the picture's columns; one where it is not divided.
  private static func columns(
    _ gaps: [Range<Int>], _ rows: Range<Int>, _ ink: Ink, _ content: FrameRegion, _ count: ColumnCount
  ) -> [Range<Int>] {
    let whole = content.left..<content.left + content.width
    let counts =
      switch count {
      case .found: Array(2...4)
      case .fixed(let count): [count]
      }
    for count in counts where count > 1 {
      // The gap at each place where equal columns meet.
      let cuts = (1..<count).compactMap { index -> Int? in
        let place = whole.lowerBound + whole.count * index / count
        let reach = whole.count / (5 * count)
        let near = gaps.filter { $0.lowerBound <= place + reach && $0.upperBound >= place - reach }
        return near.max { $0.count < $1.count }.map { ($0.lowerBound + $0.upperBound) / 2 }
      }
      guard cuts.count == count - 1, zip(cuts, cuts.dropFirst()).allSatisfy({ $0 < $1 }) else { continue }
      let edges = [whole.lowerBound] + cuts + [whole.upperBound]
      let columns = zip(edges, edges.dropFirst()).map { $0..<$1 }
      if counts.count == 1 || columns.allSatisfy({ isText($0, rows, ink) }) { return columns }
    }
    return [whole]
  }

  /// Whether a column holds text: five lines or more, that fill half of it.
  private static func isText(_ column: Range<Int>, _ rows: Range<Int>, _ ink: Ink) -> Bool {
    let region = FrameRegion(
      left: column.lowerBound, top: rows.lowerBound, width: column.count, height: rows.count)
    let lines = TextLines(rows: ink.rows(region), top: region.top).lines
    guard lines.count >= 5 else { return false }
    let widths = lines.map { line in
      let counts = ink.columns(
        FrameRegion(left: region.left, top: line.lowerBound, width: region.width, height: line.count))
      return (counts.lastIndex { $0 > 0 } ?? 0) - (counts.firstIndex { $0 > 0 } ?? 0)
    }
    return 2 * widths.sorted()[widths.count / 2] >= region.width
  }
}

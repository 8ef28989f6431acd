/// Lines of text in a region: runs of rows with ink, with empty rows between them.
package struct TextLines: Sendable, Equatable {
  /// Rows of the picture, from the top down. They do not touch.
  package private(set) var lines: [Range<Int>] = []

  /// - Parameters:
  ///   - rows: how much ink each row has.
  ///   - top: the picture's row that the first of them is.
  package init(rows: [Int], top: Int) {
    var runs: [(rows: Range<Int>, ink: Int)] = []
    var begin = 0
    for (index, count) in (rows + [0]).enumerated() where count < Self.leastInk {
      if index > begin { runs.append((top + begin..<top + index, rows[begin..<index].reduce(0, +))) }
      begin = index + 1
    }
    // Dust is no line.
    runs.removeAll { $0.rows.count <= 2 && $0.ink <= 4 * $0.rows.count }
    guard !runs.isEmpty else { return }
    // Dots and accents belong to the letters below them.
    let least = max(1, Self.middle(runs.map(\.rows.count)) * 12 / 100)
    for run in runs.map(\.rows) {
      if let last = lines.last, run.lowerBound - last.upperBound < least {
        lines[lines.count - 1] = last.lowerBound..<run.upperBound
      } else {
        lines.append(run)
      }
    }
  }

  /// Both edges of the thinnest stroke.
  private static let leastInk = 2

  /// The usual height of a line in rows; 0 where there is none.
  package var usualHeight: Int { lines.isEmpty ? 0 : Self.middle(lines.map(\.count)) }

  /// The usual number of empty rows between two lines; 0 where there are no two.
  package var usualGap: Int { gaps.isEmpty ? 0 : Self.middle(gaps) }

  /// Empty rows after each line but the last.
  var gaps: [Int] { zip(lines, lines.dropFirst()).map { $1.lowerBound - $0.upperBound } }

  private static func middle(_ values: [Int]) -> Int { values.sorted()[values.count / 2] }
}

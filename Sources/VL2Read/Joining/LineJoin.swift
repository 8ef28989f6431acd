import VL2Base

/// Joins what was read of parts of a page.
package enum LineJoin {
  /// Adds what was read of the next band.
  ///
  /// - Returns: false where bands overlap and have no line in common, so that all of both was kept.
  @discardableResult
  package static func add(_ next: String, to text: inout String, seam: Band.Seam) -> Bool {
    guard !text.isEmpty, !next.isEmpty else {
      text += next
      return true
    }
    switch seam {
    case .none, .paragraph: text += "\n\n" + next
    case .line: text += "\n" + withoutSecondHead(next, after: text)
    case .overlap:
      guard let joined = overlapping(lines(text), lines(next)) else {
        text += "\n" + next
        return false
      }
      text = joined.joined(separator: "\n")
    }
    return true
  }

  static func lines(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// Two overlapping texts as one, joined at the longest run of lines that both have. Of each at most one line may stand
  /// beyond the run: the one that the cut went through.
  ///
  /// - Returns: nil where there is no such run.
  static func overlapping(_ one: [String], _ other: [String]) -> [String]? {
    let (first, second) = (one.map(key), other.map(key))
    let begins = second.indices.filter { !second[$0].isEmpty }.prefix(2)
    let lastLines = first.indices.filter { !first[$0].isEmpty }.suffix(2)
    var best: (end: Int, begin: Int, count: Int)?
    // Of equal runs the one with which the least is left out.
    for end in lastLines.reversed() {
      for begin in begins {
        // The longest run that ends at `end` in the first and begins at `begin` in the second.
        for count in stride(from: min(end + 1, second.count - begin), through: 1, by: -1)
        where first[end + 1 - count...end].elementsEqual(second[begin..<begin + count]) {
          if count > best?.count ?? 0 { best = (end, begin, count) }
          break
        }
      }
    }
    guard let best else { return nil }
    return Array(one[...best.end]) + other[(best.begin + best.count)...]
  }

  /// A line as it is compared: how much space is between words does not count.
  private static func key(_ line: String) -> String {
    line.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// A table that goes on in the next band begins there as if it had a head: the line below that is left out, so that all
  /// rows are rows of one table.
  private static func withoutSecondHead(_ next: String, after text: String) -> String {
    var lines = lines(next)
    guard let last = Self.lines(text).last, lines.count > 1, isRow(last), isRow(lines[0]), isRule(lines[1]),
      cells(last) == cells(lines[0])
    else { return next }
    lines.remove(at: 1)
    return lines.joined(separator: "\n")
  }

  private static func isRow(_ line: String) -> Bool {
    let line = line.trimmed()
    return line.count > 2 && line.first == "|" && line.last == "|"
  }

  private static func isRule(_ line: String) -> Bool {
    isRow(line) && line.contains("-") && line.allSatisfy { "|-: ".contains($0) }
  }

  private static func cells(_ line: String) -> Int { line.count { $0 == "|" } }
}

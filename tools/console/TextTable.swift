/// Rows of text in columns.
package struct TextTable {
  private var rows: [[String]]
  private let alignment: [Character]
  private let gap: String

  /// - Parameters:
  ///   - header: empty if the rows speak for themselves.
  ///   - alignment: a letter for each column: l for left, r for right.
  ///   - gap: what stands between columns.
  package init(_ header: [String] = [], alignment: String, gap: String = "  ") {
    rows = header.isEmpty ? [] : [header]
    self.alignment = Array(alignment)
    self.gap = gap
  }

  /// Adds a row; cells missing at its end stay empty.
  package mutating func append(_ row: [String]) { rows.append(row) }

  /// One line for each row.
  package var lines: [String] {
    let widths = alignment.indices.map { column in
      rows.map { column < $0.count ? $0[column].columns : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.columns)
        line += (column == 0 ? "" : gap) + (alignment[column] == "l" ? cell + space : space + cell)
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  /// The lines, each with its end.
  package var text: String { lines.map { $0 + "\n" }.joined() }
}

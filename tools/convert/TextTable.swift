/// Rows of text in columns.
struct TextTable {
  private var rows: [[String]]
  private let alignment: [Character]

  /// - Parameter alignment: a letter for each column: l for left, r for right.
  init(_ header: [String], alignment: String) {
    rows = [header]
    self.alignment = Array(alignment)
  }

  mutating func append(_ row: [String]) { rows.append(row) }

  /// One line for each row.
  var lines: [String] {
    let widths = alignment.indices.map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        line += (column == 0 ? "" : "  ") + (alignment[column] == "l" ? cell + space : space + cell)
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}

import Foundation
import TestSupport
import VL2Measure

/// Tables as pandas writes them, for tests.
enum MadeTable {
  /// A small picture in base64.
  static func picture(_ name: String = "small.png") throws -> String {
    try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("golden/images/" + name))).base64EncodedString()
  }

  /// A row; cells with tabs, line ends or quotation marks are quoted.
  static func row(_ cells: [String]) -> String {
    cells.map { cell in
      let isPlain = cell.utf8.allSatisfy { !"\t\n\r\"".utf8.contains($0) }
      return isPlain ? cell : "\"" + cell.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }.joined(separator: "\t")
  }

  static func text(_ rows: [[String]]) -> String { rows.map { row($0) + "\n" }.joined() }

  /// A list of texts as Python writes it.
  static func list(_ texts: [String]) -> String {
    let quoted = texts.map { text in
      let escaped = text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(
        of: "'", with: "\\'")
      return "'" + escaped.replacingOccurrences(of: "\n", with: "\\n") + "'"
    }
    return "[" + quoted.joined(separator: ", ") + "]"
  }

  /// Opens a table.
  static func open(
    _ text: String, as name: String, limit: Int? = nil, longestRow: Int = 192 << 20, in folder: String
  ) throws -> BenchmarkFile {
    let path = folder + "/table.tsv"
    try write(text.utf8, to: path)
    guard let yardstick = Yardstick.named(name) else { throw CocoaError(.featureUnsupported) }
    return try BenchmarkFile(path, yardstick, limit: limit, longestRow: longestRow)
  }
}

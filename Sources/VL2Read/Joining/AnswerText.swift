import VL2Base

/// What a model wrote, as it goes into a result.
package enum AnswerText {
  /// Without white space at the ends, and without the fence that models put around code when all of it is in one.
  package static func cleaned(_ answer: String) -> String {
    let text = answer.trimmed()
    var lines = LineJoin.lines(text)
    guard lines.count >= 2, lines[0].hasPrefix("```"), lines.last == "```",
      !lines.dropFirst().dropLast().contains(where: { $0.hasPrefix("```") }),
      lines[0].dropFirst(3).allSatisfy({ $0.isLetter || $0.isNumber })
    else { return text }
    lines.removeFirst()
    lines.removeLast()
    return lines.joined(separator: "\n").trimmed { $0.isNewline }
  }
}

/// Rows of comma-separated values (RFC 4180).
package enum CSVRows {
  /// The rows of a text; lines without anything are none. What is quoted wrongly is taken as it is.
  package static func rows(_ text: String) -> [[String]] {
    var rows: [[String]] = []
    var (row, cell, isQuoted, wasQuoted): ([String], String, Bool, Bool) = ([], "", false, false)
    func finish() {
      row.append(wasQuoted ? cell : cell.trimmed())
      (cell, wasQuoted) = ("", false)
    }
    func finishRow() {
      finish()
      if row.contains(where: { !$0.isEmpty }) { rows.append(row) }
      row = []
    }
    var rest = Substring(text)
    while let character = rest.popFirst() {
      switch character {
      case "\"" where isQuoted && rest.first == "\"":
        rest.removeFirst()
        cell.append("\"")
      case "\"" where isQuoted: isQuoted = false
      case "\"" where cell.allSatisfy(\.isWhitespace) && !wasQuoted:
        (cell, isQuoted, wasQuoted) = ("", true, true)
      case "," where !isQuoted: finish()
      case _ where character.isNewline && !isQuoted: finishRow()
      default: if !(wasQuoted && !isQuoted && character.isWhitespace) { cell.append(character) }
      }
    }
    finishRow()
    return rows
  }

  /// A row as a line.
  package static func line(_ cells: [String]) -> String {
    cells.map { cell in
      cell.contains { $0 == "," || $0 == "\"" || $0.isNewline }
        ? "\"" + cell.replacing("\"", with: "\"\"") + "\"" : cell
    }.joined(separator: ",") + "\n"
  }
}

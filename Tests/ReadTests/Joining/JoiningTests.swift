import Testing
import VL2Read

@Suite struct JoiningTests {
  private func joined(_ one: String, _ other: String, _ seam: Band.Seam) -> (String, Bool) {
    var text = one
    let isClean = LineJoin.add(other, to: &text, seam: seam)
    return (text, isClean)
  }

  @Test func seams() {
    #expect(joined("a\nb", "c", .line) == ("a\nb\nc", true))
    #expect(joined("a", "b", .paragraph) == ("a\n\nb", true))
    #expect(joined("", "b", .paragraph) == ("b", true) && joined("a", "", .line) == ("a", true))
    // Without an overlap, equal lines are two lines.
    #expect(joined("a\nb", "b\nc", .line) == ("a\nb\nb\nc", true))
  }

  @Test(arguments: [
    // The line through which the cut went stands half in both.
    ("a\nb\nc\nd", "b\nc\nd\ne", "a\nb\nc\nd\ne"),
    ("a\nb\nc\nhal", "alf\nc\nhalf\ne", "a\nb\nc\nhalf\ne"),
    ("a\nb", "b\nc", "a\nb\nc"),
    ("a  b", "a b\nc", "a  b\nc"),
    // The longest run, also where its lines come twice.
    ("x\na\na\na", "a\na\ny", "x\na\na\na\ny"),
    ("a\n\nb", "b\n\nc", "a\n\nb\n\nc"),
  ]) func overlaps(_ one: String, _ other: String, _ result: String) {
    #expect(joined(one, other, .overlap) == (result, true))
  }

  @Test func overlapsWithoutACommonLine() {
    #expect(joined("a\nb", "c\nd", .overlap) == ("a\nb\nc\nd", false))
    // One that is far from the cut says nothing.
    #expect(joined("a\nb\nc\nd", "e\nf\ng\na", .overlap).1 == false)
  }

  /// A table that goes on keeps one head.
  @Test func tables() {
    let (first, next) = ("| a | b |\n|---|---|\n| 1 | 2 |", "| 3 | 4 |\n|---|---|\n| 5 | 6 |")
    #expect(joined(first, next, .line).0 == first + "\n| 3 | 4 |\n| 5 | 6 |")
    #expect(joined(first, next, .paragraph).0 == first + "\n\n" + next)
    let other = "| 3 |\n|---|\n| 5 |"
    #expect(joined(first, other, .line).0 == first + "\n" + other)
  }

  @Test func answers() {
    #expect(AnswerText.cleaned("\n a\nb \n") == "a\nb")
    #expect(AnswerText.cleaned("```markdown\n# a\n\nb\n```") == "# a\n\nb")
    #expect(AnswerText.cleaned("a\n```\nb\n```") == "a\n```\nb\n```")
    #expect(AnswerText.cleaned("```\na\n```\nb\n```\nc\n```").hasPrefix("```"))
    #expect(AnswerText.cleaned("```") == "```")
  }

  @Test(arguments: [
    ("a,b\n1,2", [["a", "b"], ["1", "2"]]), (" a , b \r\n\r\n", [["a", "b"]]), ("", []), (",\n", []),
    ("\"a, \"\"b\"\"\",c\n", [["a, \"b\"", "c"]]), ("\"two\nlines\",x", [["two\nlines", "x"]]),
    ("\"open,\nend", [["open,\nend"]]), ("a\"b,c", [["a\"b", "c"]]), ("1,,3", [["1", "", "3"]]),
  ]) func commaSeparated(_ text: String, _ rows: [[String]]) {
    #expect(CSVRows.rows(text) == rows)
    // What is written is read as it was.
    #expect(CSVRows.rows(rows.map(CSVRows.line).joined()) == rows)
  }
}

import Testing
import VL2Base

@Suite struct TrimmingTests {
  @Test(arguments: [
    ("", ""), (" \t\r\n ", ""), ("a", "a"), ("  a b \n", "a b"), ("\u{a0}é\u{2003}", "é"), ("a\0", "a\0"),
  ])
  func whitespace(text: String, trimmed: String) {
    #expect(text.trimmed() == trimmed)
    #expect(text.dropFirst(0).trimmed() == trimmed)
  }

  @Test func otherCharacters() {
    #expect("\0 board\0\n".trimmed { $0.isWhitespace || $0 == "\0" } == "board")
  }
}

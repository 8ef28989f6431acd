import Testing
import VL2Base

@Suite struct UntrustedTextTests {
  /// Whatever could move a cursor, end a line or turn what follows.
  private static let bad: [Unicode.Scalar] =
    (0..<0x20).compactMap { Unicode.Scalar($0) } + (0x7F..<0xA0).compactMap { Unicode.Scalar($0) }
    + ["\u{2028}", "\u{2029}", "\u{202A}", "\u{202E}", "\u{2066}", "\u{2069}"]

  @Test func lines() {
    for scalar in Self.bad {
      let text = "a\(scalar)b"
      #expect(UntrustedText.line(text) == "a b", "\(scalar.value)")
      #expect(!UntrustedText.isLine(text), "\(scalar.value)")
      #expect(!UntrustedText.quoted(text).unicodeScalars.contains(scalar), "\(scalar.value)")
    }
    for text in ["", "a b", "né", "猫 🐈", "👩\u{200D}🚀", "שלום\u{200F}", "\u{A0}"] {
      #expect(UntrustedText.line(text) == text && UntrustedText.isLine(text))
    }
  }

  /// What a model writes keeps its lines.
  @Test func answers() {
    #expect(UntrustedText.lines("a\n\tb") == "a\n\tb")
    #expect(UntrustedText.lines("a\u{1B}[2Jb\r\u{7F}\u{9B}") == "a\u{FFFD}[2Jb\u{FFFD}\u{FFFD}\u{FFFD}")
    #expect(UntrustedText.lines("a\r\nb") == "a\u{FFFD}\nb")
    #expect(UntrustedText.lines("שלום 👩\u{200D}🚀") == "שלום 👩\u{200D}🚀")
  }
}

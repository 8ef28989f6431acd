import Testing
import VL2Run

@Suite struct TextStreamTests {
  @Test func charactersComeWhole() {
    var stream = TextStream()
    let parts = Array("aé中🙂".utf8).map { stream.append([$0]) }
    #expect(parts == ["a", "", "é", "", "", "中", "", "", "", "🙂"])
    #expect(stream.finish() == "")
  }

  /// Expected texts from Rust's `String::from_utf8_lossy`, through the tokenizers library's decoder.
  @Test(
    arguments: [
      ([0x80], "\u{FFFD}"), ([0xC0, 0x80], "\u{FFFD}\u{FFFD}"), ([0xC1, 0xBF], "\u{FFFD}\u{FFFD}"),
      ([0xE0, 0x80, 0x61], "\u{FFFD}\u{FFFD}a"), ([0xE4, 0xB8, 0x61], "\u{FFFD}a"),
      ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"), ([0xF0, 0x9F, 0x99], "\u{FFFD}"),
      ([0xF0, 0x9F, 0x61, 0x99], "\u{FFFD}a\u{FFFD}"),
      ([0xF0, 0x80, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
      ([0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
      ([0xF5, 0xFF, 0x41], "\u{FFFD}\u{FFFD}A"),
      ([0xE4, 0xE4, 0xB8, 0xAD], "\u{FFFD}中"),
    ] as [([UInt8], String)])
  func invalidBytesAreReplacedAsRustDoes(bytes: [UInt8], text: String) {
    var whole = TextStream()
    #expect(whole.append(bytes) + whole.finish() == text)
    // However the bytes arrive.
    var single = TextStream()
    #expect(bytes.map { single.append([$0]) }.joined() + single.finish() == text)
  }

  @Test func finishingBeginsAnew() {
    var stream = TextStream()
    #expect(stream.append([0xE4]) == "")
    #expect(stream.finish() == "\u{FFFD}")
    #expect(stream.append([0x61]) == "a")
    #expect(stream.finish() == "")
  }
}

import TestSupport
import Testing
import VL2Base

@Suite struct SentenceSplitterTests {
  /// Cuts a text that comes in pieces of so many scalars.
  private func split(_ text: String, by count: Int) -> [String] {
    var splitter = SentenceSplitter()
    var sentences: [String] = []
    var rest = Array(text.unicodeScalars)[...]
    while !rest.isEmpty {
      sentences += splitter.take(String(String.UnicodeScalarView(rest.prefix(count))))
      rest = rest.dropFirst(count)
    }
    return sentences + (splitter.rest().map { [$0] } ?? [])
  }

  @Test(arguments: [
    ("A cat. A dog! Two? Yes", ["A cat.", "A dog!", "Two?", "Yes"]),
    ("It is 3.5 m wide, see example.org. Done.", ["It is 3.5 m wide, see example.org.", "Done."]),
    (
      "Fruit, e.g. apples, i.e. pomes. J. Smith (U.S.) left.",
      [
        "Fruit, e.g. apples, i.e. pomes.", "J. Smith (U.S.) left.",
      ]
    ),
    ("Dr. Who and Mrs. Who. The end.", ["Dr. Who and Mrs. Who.", "The end."]),
    ("It's Tom's. He left.", ["It's Tom's.", "He left."]),
    ("1. A cup. 2. A plate.", ["1. A cup.", "2. A plate."]),
    ("It is 3m. Then 1999. Then", ["It is 3m.", "Then 1999.", "Then"]),
    (
      "He said \"go.\" She went (fast!). Wait... what?! No",
      [
        "He said \"go.\"", "She went (fast!).", "Wait...", "what?!", "No",
      ]
    ),
    ("Well… yes. So…", ["Well…", "yes.", "So…"]),
    ("一只猫。两只狗！什么？「好。」没有", ["一只猫。", "两只狗！", "什么？", "「好。」", "没有"]),
    ("a\nb\r\n\n  c d  \u{2028}e.", ["a", "b", "c d", "e."]),
    ("  \n . ", ["."]), ("", []), ("   ", []),
  ]) func cuts(text: String, sentences: [String]) {
    for count in [1, 2, 3, 7, 1000] { #expect(split(text, by: count) == sentences, "\(count)") }
  }

  /// A sentence is given as soon as the next character shows that it has ended.
  @Test func atOnce() {
    var splitter = SentenceSplitter()
    #expect(splitter.take("A cat.") == [])
    #expect(splitter.take(" ") == ["A cat."])
    #expect(splitter.take("猫。犬") == ["猫。"])
    #expect(splitter.take("\n") == ["犬"])
    #expect(splitter.rest() == nil)
  }

  /// However long, and whatever it is, nothing but spaces gets lost, and no sentence is too long.
  @Test func bounded() {
    var random = SplitMix64(seed: 5)
    let parts = [
      "word", " ", ".", "。", "…", "\n", "3.5", "Dr.", "e.g.", "\"", "界", "🙂", "\u{301}", "!", "\t",
    ]
    for _ in 0..<300 {
      let text = (0..<Int.random(in: 1...900, using: &random)).map { _ in
        parts[Int.random(in: 0..<parts.count, using: &random)]
      }.joined()
      let sentences = split(text, by: Int.random(in: 1...50, using: &random))
      #expect(sentences.allSatisfy { $0.utf8.count <= SentenceSplitter.longest && !$0.isEmpty })
      func bare(_ text: String) -> [Unicode.Scalar] {
        text.unicodeScalars.filter { !$0.properties.isWhitespace }
      }
      let isAllThere = sentences.flatMap(bare) == bare(text)
      #expect(isAllThere, "\(text)")
    }
    let long = split(String(repeating: "some words ", count: 400), by: 9)
    #expect(
      long.allSatisfy { $0.utf8.count <= SentenceSplitter.longest && $0.utf8.count > 700 || $0 == long.last })
    #expect(long.joined(separator: " ") + " " == String(repeating: "some words ", count: 400))
    let wall = split(String(repeating: "界", count: 5000), by: 100)
    #expect(
      wall.allSatisfy { $0.utf8.count <= SentenceSplitter.longest }
        && wall.joined().unicodeScalars.count == 5000)
  }
}

import Foundation
import TestModels
import TestSupport
import Testing

@Suite struct TokenizerTests {
  /// A second, or what an emulator makes of one: tests away from the machine that built them run emulated.
  private static let second: Duration =
    ProcessInfo.processInfo.environment["VL2_FIXTURES"] == nil ? .seconds(1) : .seconds(30)

  @Test(arguments: ["cases.jsonl": 2000, "unusual.jsonl": 2725])
  func idsAreTheLibrarysAndTextComesBack(file: String, count: Int) throws {
    let tokenizer = try TokenizerFixtures.real.get()
    let cases = try TokenizerFixtures.cases(file)
    #expect(cases.count == count)
    for (index, example) in cases.enumerated() {
      #expect(tokenizer.encode(example.text) == example.ids, "case \(index)")
      // As bytes: String would take canonically equivalent texts for equal.
      #expect(tokenizer.decode(example.ids).utf8.elementsEqual(example.text.utf8), "case \(index)")
    }
  }

  /// Text from somebody else: every special and added token in it is text, as if the tokeniser had none.
  @Test func untrustedTextIsText() throws {
    struct Case: Decodable {
      var file, text: String
      var ids: [Int]
    }
    let lines = try TokenizerFixtures.bytes("tokenizer/untrusted.jsonl").split(separator: UInt8(ascii: "\n"))
    let cases = try lines.map { try JSONDecoder().decode(Case.self, from: Data($0)) }
    #expect(cases.count == 649)
    for (name, tokenizer) in [
      ("tokenizer.json", try TokenizerFixtures.real.get()),
      ("small-family.json", try TokenizerFixtures.small.get()),
    ] {
      for (index, example) in cases.enumerated() where example.file == name {
        let ids = tokenizer.encode(example.text, trusted: false)
        #expect(ids == example.ids, "case \(index): \(example.text.debugDescription)")
        #expect(tokenizer.addedTokens.isDisjoint(with: ids))
        #expect(tokenizer.decode(ids).utf8.elementsEqual(example.text.utf8), "case \(index)")
      }
    }
  }

  @Test func idsOfSmallsFamilyAreTheLibrarys() throws {
    let tokenizer = try TokenizerFixtures.small.get()
    let cases = try TokenizerFixtures.cases("small-family.jsonl")
    #expect(cases.count == 2000)
    for (index, example) in cases.enumerated() {
      #expect(
        tokenizer.encode(example.text) == example.ids, "case \(index): \(example.text.debugDescription)")
      #expect(tokenizer.decode(example.ids).utf8.elementsEqual(example.text.utf8), "case \(index)")
    }
    // As in the published file, where they are 100000 to 100003: begin, end, padding, picture.
    #expect(tokenizer.id(of: "<｜end▁of▁sentence｜>") == 6001)
    #expect(tokenizer.id(of: "<｜▁pad▁｜>") == 6002)
    #expect(tokenizer.imageToken == 6003)
  }

  /// The real vocabulary of that family: 100,000 entries.
  @Test func idsOfSmallsRealVocabularyAreTheLibrarys() throws {
    let tokenizer = try TokenizerFixtures.realSmall.get()
    let cases = try TokenizerFixtures.cases("cases-100k.jsonl")
    #expect(cases.count == 2000)
    for (index, example) in cases.enumerated() {
      #expect(
        tokenizer.encode(example.text) == example.ids, "case \(index): \(example.text.debugDescription)")
      #expect(tokenizer.decode(example.ids).utf8.elementsEqual(example.text.utf8), "case \(index)")
    }
    // As the published model's logs show them.
    for (id, name) in [
      (100_000, "<｜begin▁of▁sentence｜>"), (100_001, "<｜end▁of▁sentence｜>"), (100_002, "<｜▁pad▁｜>"),
      (100_003, "<image>"), (100_004, "<|ref|>"), (100_005, "<|/ref|>"), (100_006, "<|det|>"),
      (100_007, "<|/det|>"), (100_008, "<|grounding|>"), (100_009, "<|User|>"), (100_010, "<|Assistant|>"),
    ] {
      #expect(tokenizer.id(of: name) == id)
    }
    #expect(tokenizer.imageToken == 100_003 && tokenizer.count == 100_011)
  }

  @Test func longTextsOfSmallsFamilyTakeUnderASecond() throws {
    let tokenizer = try TokenizerFixtures.small.get()
    for unit in ["a", " ", "\n", "1", "中", "!", "한", "\u{3000}", " a", " !", "a ", "\u{301}", "\u{378}"] {
      let text = String(repeating: unit, count: 100_000) + "x"
      var ids: [Int] = []
      let time = processorTime { ids = tokenizer.encode(text) }
      #expect(time < Self.second, "\(unit.debugDescription)")
      #expect(tokenizer.decode(ids) == text)
    }
  }

  struct Long: Decodable {
    var text: String
    var times: Int
    var ids: Int
    var fnv1a: String
  }

  @Test func hundredThousandEqualCharactersTakeUnderASecond() throws {
    let tokenizer = try TokenizerFixtures.real.get()
    let cases = try JSONDecoder().decode(
      [Long].self, from: Data(TokenizerFixtures.bytes("tokenizer/long.json")))
    #expect(cases.count == 20)
    for example in cases {
      let text = String(repeating: example.text, count: example.times)
      var ids: [Int] = []
      let time = processorTime { ids = tokenizer.encode(text) }
      #expect(ids.count == example.ids, "\(example.text.debugDescription)")
      #expect(fnv1a(ids) == example.fnv1a, "\(example.text.debugDescription)")
      #expect(time < Self.second, "\(example.text.debugDescription)")
      #expect(tokenizer.decode(ids) == text)
    }
  }

  @Test func publishedIdsOfSpecialTokens() throws {
    let tokenizer = try TokenizerFixtures.real.get()
    #expect(tokenizer.imageToken == 128815)
    #expect(tokenizer.count == 128823)
    for (offset, name) in [
      "<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>",
    ].enumerated() {
      #expect(tokenizer.id(of: name) == 128815 + offset)
      #expect(tokenizer.bytes(of: 128815 + offset) == Array(name.utf8))
    }
    #expect(tokenizer.id(of: "<｜▁pad▁｜>") == 2)
    #expect(tokenizer.id(of: "<｜place▁holder▁no▁799｜>") == 128799)
    #expect(tokenizer.id(of: "the") == nil)
    #expect(tokenizer.id(of: "") == nil)
    #expect(tokenizer.id(of: "<imag") == nil)
    #expect(tokenizer.id(of: "<image>>") == nil)
    // The configuration that would name them was not given.
    #expect(tokenizer.beginToken == nil)
    #expect(try TokenizerFixtures.nano.get().beginToken == 0)
    #expect(try TokenizerFixtures.nano.get().endToken == 1)
    #expect(try TokenizerFixtures.nano.get().imageToken == 632)
  }

  @Test func unknownIdsHaveNoBytes() throws {
    let tokenizer = try TokenizerFixtures.nano.get()
    for id in [-1, 640, 647, .max, .min] { #expect(tokenizer.bytes(of: id) == []) }
    #expect(tokenizer.decode([-1, 640]) == "")
  }

  @Test func invalidUTF8BecomesReplacementCharacters() throws {
    let tokenizer = try TokenizerFixtures.real.get()
    let ids = tokenizer.encode("\u{1F642}")
    #expect(ids.count > 1)
    #expect(tokenizer.decode(ids.dropLast()) == "\u{FFFD}")
    #expect(tokenizer.decode(ids.dropLast() + tokenizer.encode("a")) == "\u{FFFD}a")
  }

  /// Four times as much text takes about four times as long; what grows with the square would take sixteen times.
  @Test func aMegabyteOfProseTakesLinearTime() throws {
    let tokenizer = try TokenizerFixtures.real.get()
    let prose = try TokenizerFixtures.cases("cases.jsonl").map(\.text).joined(separator: "\n")
    func time(_ bytes: Int) -> Duration {
      let text = String(repeating: prose, count: bytes / prose.utf8.count + 1)
      return processorTime { #expect(tokenizer.encode(text).count > bytes / 10) }
    }
    let (quarter, whole) = (time(250_000), time(1_000_000))
    #expect(whole < quarter * 8)
  }

  @Test func openingParsesNoVocabulary() throws {
    let memory = SectionMemory(
      try TokenizerFixtures.compile(TokenizerFixtures.bytes("tokenizer/tokenizer.json")))
    let time = try processorTime { _ = try memory.open() }
    // Parsing the vocabulary takes three times as long; opening, a thousandth.
    #expect(time < .milliseconds(100))
  }
}

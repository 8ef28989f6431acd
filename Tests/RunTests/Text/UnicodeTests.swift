import Foundation
import TestModels
import TestSupport
import Testing
import VL2Run

@Suite struct UnicodeTests {
  struct Members: Decodable {
    var count: Int
    var fnv1a: String
  }

  /// What the regular expressions of the tokenizers library match, all code points over.
  @Test func classesAreThoseOfTheLibrary() throws {
    let expected = try JSONDecoder().decode(
      [String: Members].self, from: Data(TokenizerFixtures.bytes("tokenizer/unicode-classes.json")))
    var members: [UnicodeClass: [Int]] = [:]
    for code in 0...0x10FFFF where !(0xD800..<0xE000).contains(code) {
      members[UnicodeClass(UInt32(code)), default: []].append(code)
    }
    for (name, unicodeClass) in [
      ("letter", UnicodeClass.letter), ("mark", .mark), ("number", .number), ("punctuation", .punctuation),
      ("symbol", .symbol), ("whitespace", .whitespace),
    ] {
      let right = try #require(expected[name])
      #expect(members[unicodeClass]?.count == right.count, "\(name)")
      #expect(members[unicodeClass].map(fnv1a) == right.fnv1a, "\(name)")
    }
  }
}

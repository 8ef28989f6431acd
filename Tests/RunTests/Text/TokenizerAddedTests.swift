import Foundation
import TestModels
import Testing
import VL2Run

/// Added tokens in the text. Expected ids are those of the Hugging Face library for the same file.
@Suite struct TokenizerAddedTests {
  private struct Extra {
    var text: String
    var special = true
    var normalized = false
  }

  /// The nano tokeniser with more added tokens, whose ids begin at 632.
  private static func tokenizer(_ extra: [Extra]) throws -> Tokenizer {
    let text = String(
      decoding: try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer.json"), as: UTF8.self)
    var next = 632
    let added = extra.map { token in
      var id = next
      if token.text == "he" { id = 260 } else { next += 1 }
      return """
        , {"id": \(id), "content": "\(token.text)", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": \(token.normalized), "special": \(token.special)}
        """
    }
    let end = try #require(text.range(of: "}\n  ],\n  \"normalizer\""))
    let edited =
      text[..<end.lowerBound] + "}" + added.joined() + "],\n  \"normalizer\"" + text[end.upperBound...]
    return try TokenizerFixtures.open(TokenizerFixtures.compile(Array(edited.utf8), vocabularySize: 4096))
  }

  private func pieces(_ tokenizer: Tokenizer, _ text: String) -> [String] {
    tokenizer.encode(text).map { tokenizer.decode([$0]) }
  }

  @Test func theLeftmostThenTheLongestWins() throws {
    let tokenizer = try Self.tokenizer(["<a", "<ab", "<abcd>", "b>", "bc"].map { Extra(text: $0) })
    #expect(pieces(tokenizer, "<abc") == ["<ab", "c"])
    #expect(pieces(tokenizer, "<abcd>") == ["<abcd>"])
    #expect(pieces(tokenizer, "<abcd") == ["<ab", "c", "d"])
    #expect(pieces(tokenizer, "<<b>") == ["<", "<", "b>"])
    #expect(pieces(tokenizer, "<ab>") == ["<ab", ">"])
    #expect(pieces(tokenizer, "<abc<abcd><a") == ["<ab", "c", "<abcd>", "<a"])
  }

  @Test func normalizedTokensComeSecond() throws {
    let tokenizer = try Self.tokenizer([
      Extra(text: "<ab", special: false, normalized: true), Extra(text: "bc>", special: true),
    ])
    // "<ab" begins first, but "bc>" is looked for before it.
    #expect(pieces(tokenizer, "<abc>") == ["<", "a", "bc>"])
    #expect(pieces(tokenizer, "x<ab") == ["x", "<ab"])
  }

  @Test func wordsOfTheVocabularyKeepTheirIds() throws {
    let tokenizer = try Self.tokenizer([Extra(text: "he", special: false)])
    #expect(tokenizer.id(of: "he") == 260)
    #expect(tokenizer.imageToken == 632)
    #expect(tokenizer.encode("the") == [86, 260])
  }

  @Test func canonicallyEquivalentTextsAreTwoTokens() throws {
    let tokenizer = try Self.tokenizer([Extra(text: "<e\u{301}>"), Extra(text: "<\u{E9}>")])
    #expect(tokenizer.id(of: "<e\u{301}>") == 632)
    #expect(tokenizer.id(of: "<\u{E9}>") == 633)
    #expect(tokenizer.encode("<\u{E9}><e\u{301}>") == [633, 632])
  }

  /// The library's decoder reads added tokens by the byte alphabet too, where that can write them.
  @Test func addedTokensAreDecodedByTheByteAlphabet() throws {
    let tokenizer = try Self.tokenizer([Extra(text: "a b"), Extra(text: "Ġx"), Extra(text: "｜é")])
    #expect(tokenizer.decode([632]) == "a b")
    #expect(tokenizer.decode([633]) == " x")
    #expect(tokenizer.decode([634]) == "｜é")
  }

  @Test func aTokenAddedOnLoadThatWasPlainIsFoundFirst() throws {
    let tokenizer = try Self.tokenizer([Extra(text: "<image>", special: false, normalized: true)])
    #expect(tokenizer.imageToken == 632)
    #expect(tokenizer.id(of: "<|ref|>") == 633)
    #expect(tokenizer.encode("<image>") == [632])
  }

  /// The processor's padding token is added only where the configuration names none.
  @Test func configuredPaddingReplacesTheProcessors() throws {
    let json = try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer.json")
    let published = String(decoding: json, as: UTF8.self)
    let text = published.replacingOccurrences(of: "<｜▁pad▁｜>", with: "<｜nothing｜>")
    #expect(text != published)
    let own = try TokenizerFixtures.open(TokenizerFixtures.compile(Array(text.utf8), vocabularySize: 648))
    #expect(own.id(of: "<｜▁pad▁｜>") == 632)
    #expect(own.imageToken == 633)
    let named = try TokenizerFixtures.open(
      TokenizerFixtures.compile(
        Array(text.utf8), config: #"{"pad_token": "<｜end▁of▁sentence｜>"}"#, vocabularySize: 648))
    #expect(named.id(of: "<｜▁pad▁｜>") == nil)
    #expect(named.imageToken == 632)
  }
}

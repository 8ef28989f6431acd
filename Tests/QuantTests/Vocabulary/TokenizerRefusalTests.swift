import Foundation
import TestModels
import TestSupport
import Testing
import VL2Quant

/// Parts of a `tokenizer.json` that are refused by name, and those that change nothing.
@Suite struct TokenizerRefusalTests {
  /// The nano tokeniser's file with one part replaced.
  private static func file(_ old: String, _ new: String) throws -> [UInt8] {
    let text = String(
      decoding: try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer.json"), as: UTF8.self)
    let range = try #require(text.range(of: old), "the fixture does not hold \(old)")
    return Array(text.replacingCharacters(in: range, with: new).utf8)
  }

  private static func failure(_ json: [UInt8], config: String? = nil) -> TokenizerError? {
    let error = thrown { _ = try TokenizerFixtures.compile(json, config: config, vocabularySize: 648) }
    #expect(error == nil || error is TokenizerError)
    return error as? TokenizerError
  }

  struct Edit: Sendable, CustomTestStringConvertible {
    var old: String
    var new: String
    /// The part that the error names.
    var part: String
    var testDescription: String { "\(part): \(new)" }
    init(_ old: String, _ new: String, _ part: String) { (self.old, self.new, self.part) = (old, new, part) }
  }

  private static let content = #""content": "<｜end▁of▁sentence｜>""#

  @Test(arguments: [
    Edit(#""truncation": null"#, #""truncation": {"max_length": 4}"#, "tokenizer.json: truncation"),
    Edit(#""version": "1.0""#, #""version": "2.0""#, "tokenizer.json: version"),
    Edit(#""padding": null"#, #""padding": {}"#, "tokenizer.json: padding"),
    Edit(#""normalizer": null"#, #""normalizer": {"type": "NFC"}"#, "tokenizer.json: normalizer.type"),
    Edit(
      #""normalizer": null"#,
      #""normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}"#,
      "tokenizer.json: normalizer.normalizers[0].type"),
    Edit(
      #""Regex": "\\p{N}{1,3}""#, #""Regex": "\\p{N}""#,
      "tokenizer.json: pre_tokenizer.pretokenizers[0].pattern.Regex"),
    Edit(
      #""Regex": "\\p{N}{1,3}""#, #""String": " ""#, "tokenizer.json: pre_tokenizer.pretokenizers[0].pattern"),
    Edit(
      #""behavior": "Isolated""#, #""behavior": "Removed""#,
      "tokenizer.json: pre_tokenizer.pretokenizers[0].behavior"),
    Edit(#""invert": false"#, #""invert": true"#, "tokenizer.json: pre_tokenizer.pretokenizers[0].invert"),
    Edit(
      #""type": "Split""#, #""type": "Punctuation""#, "tokenizer.json: pre_tokenizer.pretokenizers[0].type"),
    Edit(
      #""add_prefix_space": false"#, #""add_prefix_space": true"#,
      "tokenizer.json: pre_tokenizer.pretokenizers[3].add_prefix_space"),
    Edit(
      #""use_regex": false"#, #""use_regex": true"#,
      "tokenizer.json: pre_tokenizer.pretokenizers[3].use_regex"),
    Edit(#""type": "ByteLevel""#, #""type": "Metaspace""#, "tokenizer.json: pre_tokenizer"),
    Edit(
      #""decoder": {"#, #""decoder": {"type": "WordPiece"}, "post_processor": {"#, "tokenizer.json"),
    Edit(
      "\"decoder\": {\n    \"type\": \"ByteLevel\"", "\"decoder\": {\"type\": \"WordPiece\"",
      "tokenizer.json: decoder.type"),
    Edit(#""type": "BPE""#, #""type": "Unigram""#, "tokenizer.json: model.type"),
    Edit(#""dropout": null"#, #""dropout": 0.1"#, "tokenizer.json: model.dropout"),
    Edit(
      #""continuing_subword_prefix": null"#, #""continuing_subword_prefix": "@@""#,
      "tokenizer.json: model.continuing_subword_prefix"),
    Edit(
      #""end_of_word_suffix": null"#, #""end_of_word_suffix": "</w>""#,
      "tokenizer.json: model.end_of_word_suffix"),
    Edit(#""fuse_unk": false"#, #""fuse_unk": true"#, "tokenizer.json: model.fuse_unk"),
    Edit(#""byte_fallback": false"#, #""byte_fallback": true"#, "tokenizer.json: model.byte_fallback"),
    Edit(#""byte_fallback": false"#, #""ignore_merges": true"#, "tokenizer.json: model.ignore_merges"),
    Edit(#""byte_fallback": false"#, #""byte_fallback": false, "novelty": 1"#, "tokenizer.json: model"),
    Edit(#""normalizer": null"#, #""normalizer": null, "novelty": 1"#, "tokenizer.json"),
    Edit(#""single_word": false"#, #""single_word": true"#, "tokenizer.json: added_tokens[0].single_word"),
    Edit(#""lstrip": false"#, #""lstrip": true"#, "tokenizer.json: added_tokens[0].lstrip"),
    Edit(#""rstrip": false"#, #""rstrip": true"#, "tokenizer.json: added_tokens[0].rstrip"),
  ])
  func partsThatAreNotImplementedAreNamed(edit: Edit) throws {
    let error = try #require(Self.failure(try Self.file(edit.old, edit.new)))
    switch error {
    case .notImplemented(let part, _): #expect(part == edit.part)
    case .malformed(let part, _):
      // The edit that gives the file a key twice.
      #expect(part == edit.part && edit.part == "tokenizer.json")
    default: Issue.record("\(error)")
    }
    #expect(error.kind == .badData)
    #expect(!error.description.contains("\n"))
    #expect(error.description.hasPrefix(edit.part))
  }

  @Test(arguments: [
    Edit(#""!": 3"#, #""!": -3"#, "tokenizer.json: model.vocab"),
    Edit(#""!": 3"#, #""!": 3.0"#, "tokenizer.json: model.vocab"),
    Edit(#""!": 3"#, #""!": 648"#, "tokenizer.json: model.vocab"),
    Edit(#""!": 3"#, #""!": 99999999999999999999"#, "tokenizer.json: model.vocab"),
    Edit(#""!": 3"#, #""!": 4"#, "tokenizer.json: model.vocab"),
    Edit(#""!": 3"#, #""!!": 3"#, "tokenizer.json: model.vocab"),
    Edit(#""!": 3"#, #""!": 3, "!": 3"#, "tokenizer.json"),
    // The vocabulary is one smaller than its largest id says, so that the next added token takes a used id.
    Edit(#""<｜▁pad▁｜>": 2,"#, "", "tokenizer.json: added_tokens[2].id"),
    Edit(#""h e""#, #""h e r""#, "tokenizer.json: model.merges[1]"),
    Edit(#""h e""#, #""he""#, "tokenizer.json: model.merges[1]"),
    Edit(#""h e""#, #"["h"]"#, "tokenizer.json: model.merges[1]"),
    Edit(#""h e""#, "7", "tokenizer.json: model.merges[1]"),
    Edit(#""h e""#, #""h q""#, "tokenizer.json: model.merges[1]"),
    Edit(#""merges": ["#, #""merges": {}, "mergers": ["#, "tokenizer.json: model"),
    Edit(#""id": 1"#, #""id": 700"#, "tokenizer.json: added_tokens[1].id"),
    Edit(content, #""content": """#, "tokenizer.json: added_tokens[1].content"),
    Edit(content, #""content": "<｜begin▁of▁sentence｜>""#, "tokenizer.json: added_tokens[1].content"),
    Edit(#""special": true"#, #""special": 1"#, "tokenizer.json: added_tokens[0].special"),
    Edit(#""type": "BPE","#, "", "tokenizer.json: model"),
    Edit(#""added_tokens": ["#, #""added_tokens": 5, "model": {}, "#, "tokenizer.json"),
  ])
  func partsThatAreNotValidAreNamed(edit: Edit) throws {
    let error = try #require(Self.failure(try Self.file(edit.old, edit.new)))
    #expect(error.description.hasPrefix(edit.part + ": "), "\(error)")
    #expect(!error.description.contains("\n"))
  }

  @Test(arguments: [
    Edit(#""normalizer": null"#, #""normalizer": {"type": "Sequence", "normalizers": []}"#, ""),
    Edit(#""dropout": null"#, #""dropout": 0.0"#, ""),
    Edit(#""unk_token": null"#, #""unk_token": "<unk>""#, ""),
    Edit(#""continuing_subword_prefix": null"#, #""continuing_subword_prefix": """#, ""),
    Edit(#""post_processor": null"#, #""post_processor": {"type": "TemplateProcessing"}"#, ""),
    Edit(#""h e""#, #"["h", "e"]"#, ""),
    Edit(#""trim_offsets": true"#, #""trim_offsets": false"#, ""),
    Edit(
      #"[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+"#,
      #"[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+"#, ""),
    Edit(#""Regex": "\\p{N}{1,3}""#, #""Regex": "\u005c\u0070{\u004E}{1,3}""#, ""),
  ])
  func partsThatChangeNothingPass(edit: Edit) throws {
    let whole = try TokenizerFixtures.nanoSection()
    let config = String(
      decoding: try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer_config.json"),
      as: UTF8.self)
    let edited = try TokenizerFixtures.compile(
      Self.file(edit.old, edit.new), config: config, vocabularySize: 648)
    #expect(edited == whole)
  }

  @Test func garbageIsRefused() throws {
    let good = try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer.json")
    let deep = Array(String(repeating: "[", count: 1_000_000).utf8)
    let deepObjects = Array(String(repeating: #"{"a":"#, count: 1_000_000).utf8)
    for (json, problem) in [
      ([], "ends early"), (Array("{".utf8), "a key was expected"), (Array("null".utf8), "an object"),
      (Array("[]".utf8), "an object"), (deep, "levels deep"), (deepObjects, "levels deep"),
      ([0xFF, 0xFE], "not valid UTF-8"), (good + good, "something follows"), (good.dropLast(3), "expected"),
      (Array(#"{"a": "\ud800"}"#.utf8), "surrogate"), (Array(#"{"a": 01}"#.utf8), "expected"),
      (Array(#"{"a": 1e999}"#.utf8), "too large"), (Array("{\"a\": \"\n\"}".utf8), "control character"),
      (Array(#"{"a": "\x"}"#.utf8), "escape"), (Array(#"{"a": tru}"#.utf8), "no JSON value"),
      (Array(#"{"a": "b"#.utf8), "does not end"), (Array(#"{"a": "\u12"#.utf8), "hexadecimal"),
    ] as [([UInt8], String)] {
      let error = try #require(Self.failure(json))
      #expect(error.description.contains(problem), "\(error)")
    }
  }

  @Test func damagedFilesNeverCrash() throws {
    let good = try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer.json")
    var random = SplitMix64(seed: 3)
    var refused = 0
    for _ in 0..<300 {
      var json = good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        json[Int.random(in: json.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if Self.failure(json) != nil { refused += 1 }
    }
    #expect(refused > 100)
  }

  @Test func errorLinesStayShortAndWhole() throws {
    let name = String(repeating: "long\\n\\u001b[31m", count: 1000)
    let error = try #require(Self.failure(try Self.file(#""type": "BPE""#, #""type": "\#(name)""#)))
    #expect(error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    #expect(error.description.count < 400)
  }

  @Test func namesOfTheConfigurationMustBeTokens() throws {
    let json = try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer.json")
    #expect(Self.failure(json, config: #"{"bos_token": {"content": "<｜begin▁of▁sentence｜>"}}"#) == nil)
    #expect(
      Self.failure(
        json, config: #"{"bos_token": null, "added_tokens_decoder": {"632": {"content": "<image>"}}}"#) == nil
    )
    for (config, part) in [
      (#"{"bos_token": "<s>"}"#, "tokenizer_config.json: bos_token"),
      (#"{"eos_token": "</s>"}"#, "tokenizer_config.json: eos_token"),
      (#"{"eos_token": 7}"#, "tokenizer_config.json: eos_token"),
      (
        #"{"added_tokens_decoder": {"7": {"content": "<image>"}}}"#,
        "tokenizer_config.json: added_tokens_decoder"
      ),
      (
        #"{"added_tokens_decoder": {"x": {"content": "<image>"}}}"#,
        "tokenizer_config.json: added_tokens_decoder"
      ),
      (#"{"#, "tokenizer_config.json"),
    ] {
      let error = try #require(Self.failure(json, config: config))
      #expect(error.description.hasPrefix(part + ": "), "\(error)")
    }
  }

  @Test func tokensAddedOnLoadMustFitTheModel() throws {
    let json = try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer.json")
    #expect(throws: Never.self) { try TokenizerFixtures.compile(json, vocabularySize: 640) }
    #expect {
      try TokenizerFixtures.compile(json, vocabularySize: 639)
    } throws: {
      ($0 as? TokenizerError)?.description.contains("<|Assistant|>") == true
    }
  }

  /// Ids chosen so that all pairs fall on one slot of any table of merges: refused, without a long wait and
  /// without a table that grows and grows.
  @Test func mergesThatCollideAreRefused() throws {
    let text = String(
      decoding: try TokenizerFixtures.bytes("golden/checkpoints/nano-mha/tokenizer.json"), as: UTF8.self)
    var words: [String] = []
    var merges: [String] = []
    // The hash of a pair begins with left * a ^ right * b; it is 0 where left = right * b / a.
    let (b, oneByA): (UInt32, UInt32) = (0x85EB_CA77, 0x0E8B_2F51)
    #expect(oneByA &* 0x9E37_79B1 == 1)
    for right: UInt32 in 2000..<1 << 20 {
      let left = right &* b &* oneByA
      guard left >= 2000, left < 1 << 20 else { continue }
      words += [#""L\#(left)": \#(left)"#, #""R\#(right)": \#(right)"#]
      merges.append(#""L\#(left) R\#(right)""#)
      words.append(#""L\#(left)R\#(right)": \#((1 << 20) + merges.count)"#)
    }
    #expect(merges.count > 100)
    let start = try #require(text.range(of: #""vocab": {"#))
    let end = try #require(text.range(of: #""merges": ["#))
    var edited = text
    edited.replaceSubrange(end, with: #""merges": ["# + merges.map { $0 + "," }.joined())
    edited.replaceSubrange(start, with: #""vocab": {"# + words.map { $0 + "," }.joined())
    do {
      _ = try TokenizerFixtures.compile(Array(edited.utf8), vocabularySize: 1 << 24)
      Issue.record("nothing was refused")
    } catch let error as TokenizerError {
      #expect(error.description.hasPrefix("tokenizer.json: model.merges: "), "\(error)")
    }
  }

  /// The steps of Small's family, changed a little.
  @Test(arguments: [
    Edit(
      #""individual_digits":true"#, #""individual_digits":false"#,
      "tokenizer.json: pre_tokenizer.pretokenizers[5].individual_digits"),
    Edit("[A-Za-zµ", "[A-Zµ", "tokenizer.json: pre_tokenizer.pretokenizers[1].pattern.Regex"),
    Edit(#"\\s+$"#, #"\\s+"#, "tokenizer.json: pre_tokenizer.pretokenizers[3].pattern.Regex"),
    Edit(#""type":"Digits""#, #""type":"Metaspace""#, "tokenizer.json: pre_tokenizer.pretokenizers[5].type"),
  ])
  func smallsFamilyIsKnownExactly(edit: Edit) throws {
    let text = String(decoding: try TokenizerFixtures.bytes("tokenizer/small-family.json"), as: UTF8.self)
    let range = try #require(text.range(of: edit.old), "the fixture does not hold \(edit.old)")
    let json = Array(text.replacingCharacters(in: range, with: edit.new).utf8)
    var part: String?
    do {
      _ = try TokenizerFixtures.compile(json, vocabularySize: 6016)
    } catch TokenizerError.notImplemented(let refused, _) {
      part = refused
    }
    #expect(part == edit.part)
  }
}

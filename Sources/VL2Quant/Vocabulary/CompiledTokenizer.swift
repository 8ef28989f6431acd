import VL2Base

/// Turns a published tokeniser into the tokeniser section of a packed file, which the runtime uses in place.
public enum CompiledTokenizer {
  /// The tokens that the published processor adds on load, after the padding and image tokens.
  private static let promptTokens = [
    "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>",
  ]

  /// The section's bytes; the same input gives the same bytes everywhere.
  ///
  /// - Parameters:
  ///   - tokenizerJSON: the bytes of `tokenizer.json`.
  ///   - tokenizerConfig: the text of `tokenizer_config.json`, which names the begin, end and padding tokens.
  ///   - processor: names the image and padding tokens that the published processor adds on load.
  ///   - vocabularySize: rows of the embedding; every id must be below it.
  /// - Throws: `TokenizerError`, naming the part that is not implemented or not valid.
  public static func compile(
    tokenizerJSON: [UInt8], tokenizerConfig: String?, processor: ProcessorConfig, vocabularySize: Int
  ) throws -> [UInt8] {
    try compile(
      tokenizerJSON: tokenizerJSON, tokenizerConfig: tokenizerConfig, imageToken: processor.imageToken,
      paddingToken: processor.padToken, vocabularySize: vocabularySize)
  }

  /// Like the public function, but takes only the two names of `processor`.
  package static func compile(
    tokenizerJSON: [UInt8], tokenizerConfig: String?, imageToken: String, paddingToken: String,
    vocabularySize: Int
  ) throws -> [UInt8] {
    let source = try TokenizerSource(tokenizerJSON, vocabularySize: vocabularySize)
    let names = try TokenNames(tokenizerConfig)
    var added = AddedTokens(vocabulary: source.vocabulary)
    for token in source.addedTokens { added.add(token) }
    let padding = names.padding ?? Array(paddingToken.utf8)
    let image = Array(imageToken.utf8)
    for (key, text) in [("image_token", image), ("pad_token", padding)]
    where !(1...TokenizerLayout.longestAddedText).contains(text.count) {
      throw TokenizerError.malformed(
        part: "processor_config.json: \(key)", problem: "the text is empty or too long")
    }
    for text in [padding, image] + promptTokens.map({ Array($0.utf8) }) {
      added.add(AddedToken(text: text, special: true, normalized: false))
    }

    var tokens = try inverted(source.vocabulary.merging(added.ids) { mine, _ in mine })
    for (text, id) in added.ids.sorted(by: { $0.value < $1.value })
    where id >= min(vocabularySize, TokenizerSource.idLimit) {
      throw TokenizerError.malformed(
        part: "tokenizer.json: added_tokens",
        problem:
          "\(UntrustedText.quoted(text)) gets the id \(id), beyond the model's vocabulary of \(vocabularySize)"
      )
    }
    try names.check(added.ids, source.vocabulary)
    func id(_ text: [UInt8]?) -> UInt32 {
      text.flatMap { added.ids[$0] ?? source.vocabulary[$0] }.map(UInt32.init) ?? TokenizerLayout.none
    }
    for index in tokens.indices { tokens[index] = ByteAlphabet.bytes(of: tokens[index]) }
    var writer = TokenizerSectionWriter(tokens: tokens)
    writer.beginToken = id(names.begin)
    writer.endToken = id(names.end)
    writer.imageToken = id(image)
    writer.splitters = source.splitters
    writer.byteTokens = (0...255).map { id(ByteAlphabet.token(for: $0)) }
    writer.merges = source.merges
    writer.addedTokens = added.ids.map { text, id in
      .init(text: text, id: UInt32(id), passes: added.passes(of: text))
    }
    return try writer.section()
  }

  /// Token texts by id; an id without a token has an empty text.
  private static func inverted(_ ids: [[UInt8]: Int]) throws -> [[UInt8]] {
    var tokens = [[UInt8]](repeating: [], count: (ids.values.max() ?? -1) + 1)
    var taken = [Bool](repeating: false, count: tokens.count)
    for (text, id) in ids {
      if taken[id] {
        throw TokenizerError.malformed(
          part: "tokenizer.json: added_tokens",
          problem: "an added token gets the id \(id), which another token has")
      }
      taken[id] = true
      tokens[id] = text
    }
    return tokens
  }
}

import VL2Base

/// What a `tokenizer.json` says, checked: a byte-level BPE with a pre-tokeniser of known regular expressions.
/// Any other part is refused by name. `post_processor` is not looked at, because it cannot change the ids of
/// a text without template.
struct TokenizerSource {
  struct Merge {
    var left: Int
    var right: Int
    var merged: Int
  }

  private(set) var vocabulary: [[UInt8]: Int] = [:]
  /// In order of rank: earlier ones come first.
  private(set) var merges: [Merge] = []
  private(set) var addedTokens: [AddedToken] = []
  private(set) var splitters: [SplitterKind] = []

  /// Every id is below this, so that no table can grow out of hand.
  static let idLimit = 1 << 24

  /// Ids must be below `vocabularySize`.
  init(_ json: [UInt8], vocabularySize: Int) throws {
    let file = try TokenizerPart(file: "tokenizer.json", bytes: json)
    let parts = try file.members(known: [
      "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
      "decoder", "model",
    ])
    if let version = parts["version"], try version.string != Array("1.0".utf8) {
      throw version.notImplemented
    }
    for name in ["truncation", "padding"] {
      if let part = parts[name], !part.isNull { throw part.notImplemented }
    }
    if let normalizer = parts["normalizer"] { try Self.refuseNormalizer(normalizer) }
    try readSplitters(parts.required("pre_tokenizer", of: file))
    try Self.checkDecoder(parts.required("decoder", of: file))
    let model = try parts.required("model", of: file)
    try readModel(model, limit: min(vocabularySize, Self.idLimit))
    if let added = parts["added_tokens"] { try readAddedTokens(added) }
  }

  // MARK: - Model

  private mutating func readModel(_ model: TokenizerPart, limit: Int) throws {
    if let type = try model.member("type"), try type.string != Array("BPE".utf8) { throw type.notImplemented }
    let parts = try model.members(known: [
      "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
      "byte_fallback", "ignore_merges", "vocab", "merges",
    ])
    _ = try parts.required("type", of: model)
    if let dropout = parts["dropout"], ![.null, .integer(0), .real(0)].contains(dropout.value) {
      throw dropout.notImplemented
    }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let part = parts[name], !part.isNull, try !part.string.isEmpty { throw part.notImplemented }
    }
    for name in ["fuse_unk", "byte_fallback", "ignore_merges"] {
      if let part = parts[name], try part.bool { throw part.notImplemented }
    }
    try readVocabulary(parts.required("vocab", of: model), limit: limit)
    try readMerges(parts.required("merges", of: model))
  }

  private mutating func readVocabulary(_ part: TokenizerPart, limit: Int) throws {
    guard case .object(let members) = part.value else { throw part.wrong("an object") }
    vocabulary.reserveCapacity(members.count)
    var taken: Set<Int> = []
    for member in members {
      let name = UntrustedText.quoted(member.key)
      guard case .integer(let id) = member.value, id >= 0 else {
        throw TokenizerError.malformed(
          part: part.path, problem: "the id of \(name) is \(member.value.kind), not a natural number")
      }
      guard id < limit else {
        throw TokenizerError.malformed(
          part: part.path, problem: "the id of \(name) is \(id), beyond the model's vocabulary of \(limit)")
      }
      guard taken.insert(id).inserted else {
        throw TokenizerError.malformed(part: part.path, problem: "two tokens have the id \(id)")
      }
      vocabulary[member.key] = id
    }
    // Other bytes never occur in UTF-8.
    for byte: UInt8 in 0...0xF4 where byte != 0xC0 && byte != 0xC1 {
      guard vocabulary[ByteAlphabet.token(for: byte)] != nil else {
        throw TokenizerError.malformed(part: part.path, problem: "no token stands for the byte \(byte)")
      }
    }
  }

  private mutating func readMerges(_ part: TokenizerPart) throws {
    guard case .array(let elements) = part.value else { throw part.wrong("an array") }
    merges.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      let left: [UInt8]
      let right: [UInt8]
      switch element {
      case .string(let pair):
        // A space separates the two tokens here; the text of a token never holds one.
        let halves = pair.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard halves.count == 2 else { throw Self.badMerge(part, index) }
        (left, right) = (Array(halves[0]), Array(halves[1]))
      case .array(let pair):
        guard pair.count == 2, case .string(let first) = pair[0], case .string(let second) = pair[1] else {
          throw Self.badMerge(part, index)
        }
        (left, right) = (first, second)
      default: throw Self.badMerge(part, index)
      }
      merges.append(
        Merge(
          left: try id(of: left, part, index), right: try id(of: right, part, index),
          merged: try id(of: left + right, part, index)))
    }
  }

  private static func badMerge(_ part: TokenizerPart, _ index: Int) -> TokenizerError {
    .malformed(part: "\(part.path)[\(index)]", problem: "not a pair of tokens")
  }

  private func id(of token: [UInt8], _ part: TokenizerPart, _ index: Int) throws -> Int {
    guard let id = vocabulary[token] else {
      throw TokenizerError.malformed(
        part: "\(part.path)[\(index)]", problem: "\(UntrustedText.quoted(token)) is not in the vocabulary")
    }
    return id
  }

  // MARK: - Added tokens

  private mutating func readAddedTokens(_ part: TokenizerPart) throws {
    var model = AddedTokens(vocabulary: vocabulary)
    var seen: Set<[UInt8]> = []
    for element in try part.elements {
      let fields = try element.members(known: [
        "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special",
      ])
      for name in ["single_word", "lstrip", "rstrip"] {
        let flag = try fields.required(name, of: element)
        if try flag.bool { throw flag.notImplemented }
      }
      let content = try fields.required("content", of: element)
      let token = AddedToken(
        text: try content.string, special: try fields.required("special", of: element).bool,
        normalized: try fields.required("normalized", of: element).bool)
      guard (1...TokenizerLayout.longestAddedText).contains(token.text.count) else {
        throw content.wrong("a text of at most \(TokenizerLayout.longestAddedText) bytes")
      }
      guard seen.insert(token.text).inserted else {
        throw TokenizerError.malformed(part: content.path, problem: "\(content.value.kind) comes twice")
      }
      let id = try fields.required("id", of: element)
      let given = model.add(token)
      guard try id.integer == given else {
        throw TokenizerError.malformed(
          part: id.path,
          problem:
            "\(content.value.kind) has the id \(id.value.kind), but its place in the file gives it \(given)")
      }
      addedTokens.append(token)
    }
  }

  // MARK: - The parts around the model

  /// Accepts only normalisers that do nothing.
  private static func refuseNormalizer(_ part: TokenizerPart) throws {
    if part.isNull { return }
    let type = try requiredType(of: part)
    guard try type.string == Array("Sequence".utf8) else { throw type.notImplemented }
    let members = try part.members(known: ["type", "normalizers"])
    for step in try members.required("normalizers", of: part).elements { try refuseNormalizer(step) }
  }

  private static func checkDecoder(_ part: TokenizerPart) throws {
    if part.isNull { throw part.notImplemented }
    let type = try requiredType(of: part)
    guard try type.string == Array("ByteLevel".utf8) else { throw type.notImplemented }
  }

  private static func requiredType(of part: TokenizerPart) throws -> TokenizerPart {
    guard let type = try part.member("type") else {
      throw TokenizerError.malformed(part: part.path, problem: "the key \"type\" is missing")
    }
    return type
  }

  private mutating func readSplitters(_ part: TokenizerPart) throws {
    if part.isNull { throw part.notImplemented }
    var steps = try Self.steps(of: part)
    // The byte alphabet must come last: no expression would recognise text that it has rewritten.
    guard let last = steps.popLast(), try Self.requiredType(of: last).string == Array("ByteLevel".utf8) else {
      throw TokenizerError.notImplemented(
        part: part.path, value: "a pre-tokeniser that does not end in ByteLevel")
    }
    let byteLevel = try last.members(known: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
    for name in ["add_prefix_space", "use_regex"] {
      let flag = try byteLevel.required(name, of: last)
      if try flag.bool { throw flag.notImplemented }
    }
    splitters = try steps.map(Self.splitter)
    guard splitters.count <= TokenizerLayout.mostSplitters else {
      throw TokenizerError.notImplemented(part: part.path, value: "a sequence of \(splitters.count) splits")
    }
  }

  /// The steps of a pre-tokeniser, with nested sequences flattened.
  private static func steps(of part: TokenizerPart) throws -> [TokenizerPart] {
    guard try requiredType(of: part).string == Array("Sequence".utf8) else { return [part] }
    let members = try part.members(known: ["type", "pretokenizers"])
    return try members.required("pretokenizers", of: part).elements.flatMap(steps)
  }

  private static func splitter(_ part: TokenizerPart) throws -> SplitterKind {
    let type = try requiredType(of: part)
    if try type.string == Array("Digits".utf8) {
      let members = try part.members(known: ["type", "individual_digits"])
      let individual = try members.required("individual_digits", of: part)
      guard try individual.bool else { throw individual.notImplemented }
      return .singleNumerals
    }
    guard try type.string == Array("Split".utf8) else { throw type.notImplemented }
    let members = try part.members(known: ["type", "pattern", "behavior", "invert"])
    let behavior = try members.required("behavior", of: part)
    guard try behavior.string == Array("Isolated".utf8) else { throw behavior.notImplemented }
    let invert = try members.required("invert", of: part)
    if try invert.bool { throw invert.notImplemented }
    let pattern = try members.required("pattern", of: part)
    guard let expression = try pattern.member("Regex") else { throw pattern.notImplemented }
    guard let kind = SplitterKind(pattern: try expression.string) else { throw expression.notImplemented }
    return kind
  }
}

import VL2Base

/// The tokens that `tokenizer_config.json` names.
struct TokenNames {
  private static let file = "tokenizer_config.json"

  private(set) var begin: [UInt8]?
  private(set) var end: [UInt8]?
  private(set) var padding: [UInt8]?
  /// `added_tokens_decoder`: ids as the saved tokeniser had them.
  private var saved: [(id: Int, text: [UInt8])] = []

  init(_ text: String?) throws {
    guard let text else { return }
    let config = try TokenizerPart(file: Self.file, bytes: Array(text.utf8))
    begin = try Self.name("bos_token", in: config)
    end = try Self.name("eos_token", in: config)
    padding = try Self.name("pad_token", in: config)
    guard let decoder = try config.member("added_tokens_decoder") else { return }
    for (key, token) in try decoder.members {
      guard let id = Int(String(decoding: key, as: UTF8.self)), let content = try token.member("content")
      else {
        throw TokenizerError.malformed(
          part: decoder.path,
          problem: "\(UntrustedText.quoted(key)) is not a token with id and content")
      }
      saved.append((id, try content.string))
    }
  }

  /// A token is named by its text, or by an object that has the text as `content`.
  private static func name(_ key: String, in config: TokenizerPart) throws -> [UInt8]? {
    guard let part = try config.member(key), !part.isNull else { return nil }
    if case .string(let text) = part.value { return text }
    guard let content = try part.member("content") else { throw part.wrong("a token's text") }
    return try content.string
  }

  /// Checks that every name is that of a token, and that the token has the id that the file gives it, if the
  /// file gives one.
  func check(_ added: [[UInt8]: Int], _ vocabulary: [[UInt8]: Int]) throws {
    for (key, text) in [("bos_token", begin), ("eos_token", end)] {
      guard let text, added[text] == nil, vocabulary[text] == nil else { continue }
      throw TokenizerError.malformed(
        part: "\(Self.file): \(key)", problem: "tokenizer.json has no token \(UntrustedText.quoted(text))")
    }
    for (id, text) in saved {
      let found = added[text] ?? vocabulary[text]
      guard found != id else { continue }
      throw TokenizerError.malformed(
        part: "\(Self.file): added_tokens_decoder",
        problem:
          "\(UntrustedText.quoted(text)) has the id \(id), tokenizer.json gives it \(found.map(String.init) ?? "none")"
      )
    }
  }
}

/// A token that is searched for in the text before the text is split into words.
struct AddedToken {
  var text: [UInt8]
  var special: Bool
  /// Whether it is searched for in normalised text, that is in the second pass.
  var normalized: Bool
}

/// The added tokens of a tokeniser with their ids, by the rules of the Hugging Face library
/// (`AddedVocabulary`, tokenizers 0.23): an id does not come from the file but from the order of adding.
struct AddedTokens {
  private let vocabulary: [[UInt8]: Int]
  private(set) var ids: [[UInt8]: Int] = [:]
  private var special: [[UInt8]: AddedToken] = [:]
  private var plain: [[UInt8]: AddedToken] = [:]
  private var largest: Int?

  init(vocabulary: [[UInt8]: Int]) { self.vocabulary = vocabulary }

  /// Adds a token and returns its id: the id that its text already has, else the next one after the
  /// vocabulary and all added tokens. If a text is added as special twice, the first form is kept.
  @discardableResult
  mutating func add(_ token: AddedToken) -> Int {
    if token.special, special[token.text] == nil { special[token.text] = token }
    if let known = ids[token.text] { return known }
    let id = vocabulary[token.text] ?? max(vocabulary.count, largest.map { $0 + 1 } ?? 0)
    ids[token.text] = id
    largest = max(largest ?? 0, id)
    if special[token.text] == nil { plain[token.text] = token }
    return id
  }

  /// The passes in which a text is searched for, as bits of `TokenizerLayout.Pass`.
  func passes(of text: [UInt8]) -> UInt32 {
    [special[text], plain[text]].compactMap(\.self).reduce(0) {
      $0 | ($1.normalized ? TokenizerLayout.Pass.second : TokenizerLayout.Pass.first)
    }
  }
}

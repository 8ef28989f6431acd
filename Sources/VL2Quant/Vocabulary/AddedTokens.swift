/// A token that is found in the text before it is cut into words.
struct AddedToken {
  var text: [UInt8]
  var special: Bool
  /// Whether it is looked for in normalised text: in the second pass.
  var normalized: Bool
}

/// The added tokens of a tokeniser with their ids, by the rules of the Hugging Face library
/// (`AddedVocabulary`, tokenizers 0.23): ids do not come from the file but from the order of adding.
struct AddedTokens {
  private let vocabulary: [[UInt8]: Int]
  private(set) var ids: [[UInt8]: Int] = [:]
  private var special: [[UInt8]: AddedToken] = [:]
  private var plain: [[UInt8]: AddedToken] = [:]
  private var largest: Int?

  init(vocabulary: [[UInt8]: Int]) { self.vocabulary = vocabulary }

  /// Adds a token and returns its id: the one that its text has already, else the next after the vocabulary
  /// and all added tokens. The first special form of a text stays what it is.
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

  /// The passes in which a text is looked for, as bits of `TokenizerLayout.Pass`.
  func passes(of text: [UInt8]) -> UInt32 {
    [special[text], plain[text]].compactMap(\.self).reduce(0) {
      $0 | ($1.normalized ? TokenizerLayout.Pass.second : TokenizerLayout.Pass.first)
    }
  }
}

/// A set of tokens of a vocabulary, one bit for each token.
package struct TokenSet: Sendable, Equatable {
  private var words: [UInt64]

  /// The empty set of a vocabulary of `count` tokens.
  package init(count: Int) { words = [UInt64](repeating: 0, count: (count + 63) / 64) }

  package func contains(_ token: Int) -> Bool {
    token >= 0 && token >> 6 < words.count && words[token >> 6] >> UInt64(token & 63) & 1 == 1
  }

  /// Adds a token below the vocabulary's count.
  package mutating func insert(_ token: Int) { words[token >> 6] |= 1 << UInt64(token & 63) }

  /// Takes out a token below the vocabulary's count.
  mutating func remove(_ token: Int) { words[token >> 6] &= ~(1 << UInt64(token & 63)) }

  /// The smallest token; nil in the empty set.
  package var first: Int? {
    words.firstIndex { $0 != 0 }.map { $0 << 6 + words[$0].trailingZeroBitCount }
  }
}

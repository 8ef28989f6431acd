/// Which expert is evicted when another needs its slot. Benchmarks/RESULTS.md has the measurement that chose
/// one.
package enum ReplacementPolicy: String, CaseIterable, Sendable {
  /// The one that was not used for the longest time.
  case lru
  /// The one that was used least often since the model was opened: hot experts stay for good.
  case lfu
  /// The one that was used least often, where a use counts half after some tens of tokens.
  case aged
  /// An expert that the last token did not use goes before one that it did; among equals, the one in the
  /// layer that comes last.
  case stale
  /// The one with the next use expected to be the farthest away, by how likely the next token wants each
  /// expert (`UseForecast`) and how soon its layer comes.
  case likely

  /// The weight of a use after one more token.
  var decay: Double { self == .lfu ? 1 : 0.98 }
}

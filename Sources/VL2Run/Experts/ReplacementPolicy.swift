/// Which expert goes when another needs its place. Benchmarks/RESULTS.md has the measurement that chose one.
package enum ReplacementPolicy: String, CaseIterable, Sendable {
  /// The one that was not used for the longest time.
  case lru
  /// The one that was used least often since the model was opened: hot experts stay for good.
  case lfu
  /// The one that was used least often, where a use counts half after some tens of tokens.
  case aged
  /// One that the last token did not use, before one that it did; among equals the one whose layer comes last.
  case stale
  /// The one whose next use is expected to be the farthest away, by how likely the next token wants each
  /// (`UseForecast`) and how soon its layer comes.
  case likely

  /// What a use counts for after one more token.
  var decay: Double { self == .lfu ? 1 : 0.98 }
}

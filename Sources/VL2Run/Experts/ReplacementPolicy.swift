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
  /// The one that the next token will least likely use: as often as it was used lately, and more often where the last
  /// token used it, by as much as such experts turned out to be used again.
  case likely

  /// What a use counts for after one more token.
  var decay: Double { self == .lfu ? 1 : 0.98 }
}

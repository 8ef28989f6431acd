/// How often experts that were guessed and not in memory were wanted lately.
struct GuessRecord {
  /// What a guess counts for after one more: about fifty are remembered.
  private static let memory = 0.98
  /// So many guesses, half of them right, are taken for granted at the beginning.
  private static let doubt = 8.0
  /// A wrong guess takes a place and a piece's time from others, a right one saves a part of a read.
  private static let leastRight = 0.25

  private var seen = 0.0
  private var right = 0.0

  mutating func note(isRight: Bool) {
    seen = seen * Self.memory + 1
    right = right * Self.memory + (isRight ? 1 : 0)
  }

  /// Whether so many are right that it is worth reading them.
  var pays: Bool { right + Self.doubt / 2 >= Self.leastRight * (seen + Self.doubt) }
}

/// How often guesses were right lately. Only guesses of experts that were not in memory count.
struct GuessRecord {
  /// The weight of a guess after one more guess: about fifty are remembered.
  private static let memory = 0.98
  /// At the beginning, so many guesses are taken for granted, half of them right.
  private static let doubt = 8.0
  /// The smallest share of right guesses that pays. A wrong guess takes a slot and the time of reading a
  /// piece from others; a right one saves a part of a read.
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

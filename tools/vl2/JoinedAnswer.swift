import VL2Run

extension Answer {
  /// Answers to several questions about the same pictures as one: their texts a line each, their boxes together, what
  /// they took added up. It ended as the first of them did that was not whole.
  ///
  /// - Parameter answers: at least one.
  init?(joining answers: [Answer]) {
    guard var whole = answers.first else { return nil }
    for next in answers.dropFirst() {
      whole.text += "\n" + next.text
      if whole.ending == .complete { whole.ending = next.ending }
      whole.grounding.spans += next.grounding.spans
      whole.grounding.notes += next.grounding.notes
      whole.counts.add(next.counts)
      whole.memory = next.memory
    }
    self = whole
  }
}

extension Answer.Counts {
  fileprivate mutating func add(_ other: Self) {
    promptTokens += other.promptTokens
    cachedTokens += other.cachedTokens
    writtenTokens += other.writtenTokens
    tiles += other.tiles
    seconds.queued += other.seconds.queued
    seconds.tiling += other.seconds.tiling
    seconds.vision += other.seconds.vision
    seconds.prefill += other.seconds.prefill
    seconds.decode += other.seconds.decode
  }
}

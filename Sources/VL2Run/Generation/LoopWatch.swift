/// Notices that an answer has begun to say the same thing over and over.
///
/// A model of this size sometimes falls into a cycle that it never leaves. A cycle is a run of up to 64
/// tokens that comes six times in a row and makes up at least 64 tokens in all. A table with a few equal
/// cells does not count as one.
package struct LoopWatch {
  private static let longestPeriod = 64
  private static let rounds = 6
  private static let fewestTokens = 64

  private var tokens: [Int] = []
  /// For each period, how many tokens in a row, up to the last one, equal the token one period before.
  private var equal = [Int](repeating: 0, count: longestPeriod + 1)

  package init() {}

  /// Takes the next token. Returns whether the answer is in such a cycle.
  package mutating func append(_ token: Int) -> Bool {
    var loops = false
    for period in 1...min(Self.longestPeriod, max(1, tokens.count)) where period <= tokens.count {
      equal[period] = tokens[tokens.count - period] == token ? equal[period] + 1 : 0
      if equal[period] + period >= max(Self.rounds * period, Self.fewestTokens) { loops = true }
    }
    tokens.append(token)
    return loops
  }
}

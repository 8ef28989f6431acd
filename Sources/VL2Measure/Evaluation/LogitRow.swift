import Glibc

/// The logits of one place, [vocabulary], as the distribution of the next token that they stand for.
struct LogitRow {
  private let logits: UnsafeBufferPointer<Float>
  /// The place of the largest, of equals the first.
  let likeliest: Int
  /// The logarithm of the sum of exp over all; not finite where a logit is no number.
  let logSum: Double

  /// - Parameter logits: at least one; in use as long as the row is.
  init(_ logits: UnsafeBufferPointer<Float>) {
    self.logits = logits
    var likeliest = 0
    for token in logits.indices where logits[token] > logits[likeliest] { likeliest = token }
    let largest = Double(logits[likeliest])
    self.likeliest = likeliest
    logSum = largest + log(logits.reduce(0) { $0 + exp(Double($1) - largest) })
  }

  /// The logarithm of a token's probability.
  func logProbability(_ token: Int) -> Double { Double(logits[token]) - logSum }

  /// KL(self || other) in nats: the sum over the vocabulary of p ln(p / q). Both have the same length.
  func divergence(from other: LogitRow) -> Double {
    var sum = 0.0
    for token in logits.indices {
      let mine = logProbability(token)
      sum += exp(mine) * (mine - other.logProbability(token))
    }
    // Only rounding can make the sum negative.
    return max(0, sum)
  }
}

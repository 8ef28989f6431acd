import SIMDKernels
import VL2Base

/// Picks tokens for one answer.
package struct Sampler {
  private let sampling: Sampling
  private var random: RandomBits
  /// The tokens that the penalty counts.
  private var seen: Set<Int> = []

  /// - Parameter prompt: the tokens before the answer.
  package init(_ sampling: Sampling, prompt: [Int] = []) {
    self.sampling = sampling
    random = RandomBits(state: sampling.seed)
    if sampling.repetitionPenalty != 1 { seen = Set(prompt) }
  }

  /// The next token.
  ///
  /// - Parameters:
  ///   - logits: [vocabulary], overwritten.
  ///   - allowed: the tokens to choose among, at least one; nil for all.
  package mutating func pick(_ logits: UnsafeMutableBufferPointer<Float>, allowed: TokenSet? = nil) -> Int {
    guard let base = logits.baseAddress else { return 0 }
    let kernels = vl2_kernels_active().pointee
    if sampling.repetitionPenalty != 1 {
      for token in seen where token < logits.count {
        let logit = logits[token]
        logits[token] = logit > 0 ? logit / sampling.repetitionPenalty : logit * sampling.repetitionPenalty
      }
    }
    if let allowed {
      for token in logits.indices where !allowed.contains(token) { logits[token] = -.infinity }
    }
    var token = kernels.argmax(base, logits.count)
    // Where all tokens are equally impossible, argmax takes the first, which may not be allowed.
    if let allowed, !allowed.contains(token) { token = allowed.first ?? token }
    if sampling.temperature > 0 {
      for index in logits.indices { logits[index] /= sampling.temperature }
      kernels.softmax(base, logits.count)
      token = draw(UnsafeBufferPointer(logits)) ?? token
    }
    if sampling.repetitionPenalty != 1 { seen.insert(token) }
    return token
  }

  /// Takes note of a token that the answer holds without its having been picked.
  package mutating func note(_ token: Int) { if sampling.repetitionPenalty != 1 { seen.insert(token) } }

  /// Draws a token by its probability; nil where the probabilities are not numbers.
  private mutating func draw(_ probabilities: UnsafeBufferPointer<Float>) -> Int? {
    // 53 bits, as many as a Double holds.
    let point = Double(random.next() >> 11) / Double(1 << 53)
    if sampling.topP >= 1 { return token(at: point, among: probabilities.indices, probabilities) }
    // Tokens less likely than this have less than 1 - topP together, so the nucleus is full before it reaches
    // one.
    let least = (1 - sampling.topP) / Float(probabilities.count)
    var nucleus = probabilities.indices.filter { probabilities[$0] >= least }
    nucleus.sort { probabilities[$0] != probabilities[$1] ? probabilities[$0] > probabilities[$1] : $0 < $1 }
    var sum: Double = 0
    if let last = nucleus.firstIndex(where: {
      sum += Double(probabilities[$0])
      return sum >= Double(sampling.topP)
    }) {
      nucleus.removeSubrange((last + 1)...)
    }
    return token(at: point, among: nucleus, probabilities)
  }

  private func token(
    at point: Double, among tokens: some Sequence<Int>, _ probabilities: UnsafeBufferPointer<Float>
  ) -> Int? {
    let goal = point * tokens.reduce(0.0) { $0 + Double(probabilities[$1]) }
    var sum = 0.0
    var last: Int?
    for token in tokens where probabilities[token] > 0 {
      sum += Double(probabilities[token])
      last = token
      if sum > goal { break }
    }
    return last
  }
}

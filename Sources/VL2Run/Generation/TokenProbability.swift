import Glibc
import SIMDKernels

/// A token that was written, and how likely the model thought it and others.
public struct TokenProbability: Sendable, Equatable {
  public struct Candidate: Sendable, Equatable {
    /// The token's bytes, which may be a part of a character.
    public var bytes: [UInt8]
    /// The natural logarithm of its probability, before temperature, penalty and schema.
    public var logProbability: Double
  }

  public var written: Candidate
  /// The likeliest tokens, the likeliest first.
  public var likeliest: [Candidate]
}

extension Rows {
  /// The last row's values.
  var lastRow: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: self[count - 1], count: columns)
  }

  /// The logarithm of the probability of each token, from the logits in the last row, which are overwritten.
  func logProbabilities(of tokens: [Int]) -> [Double] {
    let kernels = vl2_kernels_active().pointee
    let row = lastRow
    guard let base = row.baseAddress else { return tokens.map { _ in 0 } }
    let likeliest = kernels.argmax(base, row.count)
    let gaps = tokens.map { Double(row[$0]) - Double(row[likeliest]) }
    kernels.softmax(base, row.count)
    // A probability may be too small for a float32, so its logarithm is computed from the logit.
    return gaps.map { $0 + log(Double(row[likeliest])) }
  }

  /// The likeliest tokens, the likeliest first, of equals the one with the lower id; from the logits in the last row.
  func likeliest(_ count: Int) -> [Int] {
    let row = lastRow
    var best: [Int] = []
    for token in row.indices {
      if best.count == count, let last = best.last, !(row[token] > row[last]) { continue }
      let place = best.firstIndex { row[token] > row[$0] } ?? best.count
      best.insert(token, at: place)
      if best.count > count { best.removeLast() }
    }
    return best
  }
}

/// Works out probabilities of one answer's tokens.
struct ProbabilityList {
  /// How many of the likeliest tokens are wanted.
  let count: Int
  private var logits = AlignedBuffer()

  /// More are not worth the time that looking for them takes at each token.
  private static let most = 64

  init(count: Int) { self.count = max(0, min(count, Self.most)) }

  /// What is wanted to know of the next token, before it is picked from `logits`, which stay as they are.
  ///
  /// - Returns: a function from the token that is picked to its probability.
  func next(_ row: Rows, tokenizer: Tokenizer) -> (_ picked: Int) -> TokenProbability {
    let copy = Rows(logits.reserve(row.columns), count: 1, columns: row.columns)
    copy.base.update(from: row[row.count - 1], count: row.columns)
    let likeliest = copy.likeliest(count)
    let values = (0..<copy.columns).lazy.map { copy[0][$0] }
    let largest = Double(values.max() ?? 0)
    let sum = log(values.reduce(0.0) { $0 + exp(Double($1) - largest) })
    func candidate(_ token: Int) -> TokenProbability.Candidate {
      .init(bytes: tokenizer.bytes(of: token), logProbability: Double(copy[0][token]) - largest - sum)
    }
    let list = likeliest.map(candidate)
    return { TokenProbability(written: candidate($0), likeliest: list) }
  }
}

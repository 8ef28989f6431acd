import SIMDKernels
import VL2Quant

/// Picks the routed experts of each row.
package final class Router {
  private let weights: Linear
  private let config: LanguageConfig.Routing
  private let arithmetic: Arithmetic
  private let logits = AlignedBuffer()

  package init(_ file: Weights, layer: Int, routing: LanguageConfig.Routing, arithmetic: Arithmetic) throws {
    config = routing
    self.arithmetic = arithmetic
    weights = Linear(
      try file.matrix(
        "language.model.layers.\(layer).mlp.gate.weight", rows: routing.experts,
        columns: file.config.language.hiddenSize))
  }

  /// Scores every expert for every row and keeps the best.
  ///
  /// Softmax scores, the largest `expertsPerToken` of them, an earlier expert before a later one of the same
  /// score; the scores are the weights, normalised to a sum of 1 where the config says so, then scaled.
  ///
  /// - Parameters:
  ///   - x: normalised rows, [count][hidden], float32 in every mode.
  ///   - forced: expert ids to take instead, [count][expertsPerToken].
  ///   - experts, weights: [count][expertsPerToken], best first; written.
  package func route(
    _ x: Rows, forced: [Int32]? = nil, experts: inout [Int32], weights: inout [Float]
  ) {
    let (count, total, kept) = (x.count, config.experts, config.expertsPerToken)
    let scores = Rows(logits.reserve(count * total), count: count, columns: total)
    arithmetic.multiply(self.weights, arithmetic.asFloat(x), count: count, into: scores)
    experts = .init(repeating: 0, count: count * kept)
    weights = .init(repeating: 0, count: count * kept)
    let kernels = vl2_kernels_active().pointee
    for row in 0..<count {
      let scores = scores[row]
      kernels.softmax(scores, total)
      for place in 0..<kept {
        var best = 0
        if let forced {
          best = Int(forced[row * kept + place])
        } else {
          // Picked experts are marked by a negative score; a score that is not a number is never the largest.
          var largest = -Float.infinity
          for expert in 0..<total where scores[expert] > largest {
            (best, largest) = (expert, scores[expert])
          }
        }
        experts[row * kept + place] = Int32(best)
        weights[row * kept + place] = scores[best]
        if forced == nil { scores[best] = -1 }
      }
      var sum: Float = 0
      if config.normalized && kept > 1 {
        for place in 0..<kept { sum += weights[row * kept + place] }
        for place in 0..<kept { weights[row * kept + place] /= sum + 1e-20 }
      }
      for place in 0..<kept { weights[row * kept + place] *= config.scalingFactor }
    }
  }
}

import SIMDKernels
import VL2Quant

/// Picks the routed experts of each row.
package final class Router {
  private let weights: Linear
  /// Added to the scores for choosing alone, one for each expert; `noaux_tc` only.
  private let bias: UnsafePointer<Float>?
  private let config: LanguageConfig.Routing
  private let arithmetic: Arithmetic
  private let logits = AlignedBuffer()
  /// What the experts of the row at hand are chosen by.
  private var choice: [Float] = []

  /// - Parameters:
  ///   - weights: [experts][hidden]
  ///   - bias: one for each expert, with `noaux_tc`; read whenever rows are routed.
  package init(
    weights: Linear, bias: UnsafePointer<Float>?, routing: LanguageConfig.Routing, arithmetic: Arithmetic
  ) {
    self.weights = weights
    self.bias = bias
    config = routing
    self.arithmetic = arithmetic
  }

  package convenience init(
    _ file: Weights, layer: Int, routing: LanguageConfig.Routing, arithmetic: Arithmetic
  ) throws {
    let p = "language.model.layers.\(layer).mlp.gate."
    let weights = try file.matrix(
      p + "weight", rows: routing.experts, columns: file.config.language.hiddenSize)
    let bias =
      routing.method == .noAuxTC
      ? try file.plain(p + "e_score_correction_bias", count: routing.experts).baseAddress : nil
    self.init(weights: Linear(weights), bias: bias, routing: routing, arithmetic: arithmetic)
  }

  /// Scores every expert for every row and keeps the best.
  ///
  /// Scores are a softmax or a sigmoid of the router's logits. The largest `expertsPerToken` of those that may be
  /// chosen are kept, an earlier expert before a later one of the same score; their scores are the weights,
  /// normalised to a sum of 1 where the config says so, then scaled.
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
    if experts.count != count * kept {
      experts = .init(repeating: 0, count: count * kept)
      weights = .init(repeating: 0, count: count * kept)
    }
    let kernels = vl2_kernels_active().pointee
    for row in 0..<count {
      let scores = scores[row]
      switch config.scoring {
      case .softmax: kernels.softmax(scores, total)
      case .sigmoid: kernels.sigmoid(scores, total)
      }
      let places = row * kept..<(row + 1) * kept
      if let forced {
        experts.replaceSubrange(places, with: forced[places])
      } else {
        choose(UnsafeBufferPointer(start: scores, count: total))
        for place in places { experts[place] = Int32(Self.takeLargest(&choice).place) }
      }
      for place in places { weights[place] = scores[Int(experts[place])] }
      if config.normalized && kept > 1 {
        let sum = weights[places].reduce(0, +) + 1e-20
        for place in places { weights[place] /= sum }
      }
      for place in places { weights[place] *= config.scalingFactor }
    }
  }

  /// Sets what experts are chosen by: their scores, with `noaux_tc` plus a bias, and 0 for those of groups that are not
  /// among the best. A group is as good as its best expert; with `noaux_tc`, as its best two together.
  private func choose(_ scores: UnsafeBufferPointer<Float>) {
    choice.removeAll(keepingCapacity: true)
    choice.append(contentsOf: scores)
    if let bias { for expert in choice.indices { choice[expert] += bias[expert] } }
    guard config.groups > 1 else { return }
    let size = config.experts / config.groups
    var quality = (0..<config.groups).map { group in
      var members = Array(choice[group * size..<(group + 1) * size])
      let best = Self.takeLargest(&members).value
      return config.method == .noAuxTC ? best + Self.takeLargest(&members).value : best
    }
    var isKept = [Bool](repeating: false, count: config.groups)
    for _ in 0..<config.keptGroups { isKept[Self.takeLargest(&quality).place] = true }
    for expert in choice.indices where !isKept[expert / size] { choice[expert] = 0 }
  }

  /// The largest value, the first of equals, which is never found again. What is not a number is never the largest.
  private static func takeLargest(_ values: inout [Float]) -> (place: Int, value: Float) {
    var best = 0
    var largest = -Float.infinity
    for (place, value) in values.enumerated() where value > largest { (best, largest) = (place, value) }
    values[best] = -.infinity
    return (best, largest)
  }
}

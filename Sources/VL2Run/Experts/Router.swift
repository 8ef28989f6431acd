import SIMDKernels
import VL2Quant

/// The experts picked for rows: [count][expertsPerToken] each, best first.
package struct ExpertPicks: ~Copyable {
  package var experts = PlainList<Int32>()
  package var weights = PlainList<Float>()

  package init() {}

  mutating func release() {
    experts.release()
    weights.release()
  }
}

/// Picks the routed experts of each row.
package struct Router: ~Copyable {
  private let weights: Linear
  /// Added to the scores only when experts are chosen, one for each expert; `noaux_tc` only.
  private let bias: UnsafePointer<Float>?
  private let config: LanguageConfig.Routing
  private let arithmetic: Arithmetic
  private var logits = AlignedStorage()
  /// For the current row: the values that its experts are chosen by, and those that its groups are chosen by.
  private var choice = PlainList<Float>()
  private var quality = PlainList<Float>()
  private var isKept = PlainList<Bool>()

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

  package init(
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
  /// Scores are a softmax or a sigmoid of the router's logits. Of the experts that may be chosen, the
  /// `expertsPerToken` with the largest scores are kept; of equal scores, the earlier expert comes first.
  /// Their scores are the weights, normalised to a sum of 1 where the config says so, then scaled.
  ///
  /// - Parameters:
  ///   - x: normalised rows, [count][hidden], float32 in every mode.
  ///   - forced: expert ids to take instead, [count][expertsPerToken].
  ///   - picks: set to what each row takes.
  package mutating func route(
    _ x: Rows, forced: UnsafeBufferPointer<Int32>? = nil, into picks: inout ExpertPicks
  ) {
    let (count, total, kept) = (x.count, config.experts, config.expertsPerToken)
    let scores = Rows(logits.reserve(count * total), count: count, columns: total)
    arithmetic.multiply(self.weights, arithmetic.asFloat(x), count: count, into: scores)
    picks.experts.fill(0, count: count * kept)
    picks.weights.fill(0, count: count * kept)
    let (experts, weights) = (picks.experts.mutableElements, picks.weights.mutableElements)
    let kernels = vl2_kernels_active().pointee
    for row in 0..<count {
      let scores = scores[row]
      switch config.scoring {
      case .softmax: kernels.softmax(scores, total)
      case .sigmoid: kernels.sigmoid(scores, total)
      }
      let places = row * kept..<(row + 1) * kept
      if let forced {
        for place in places { experts[place] = forced[place] }
      } else {
        choose(UnsafeBufferPointer(start: scores, count: total))
        for place in places {
          experts[place] = Int32(Self.takeLargest(choice.mutableElements, 0..<total).place)
        }
      }
      for place in places { weights[place] = scores[Int(experts[place])] }
      if config.normalized && kept > 1 {
        var sum: Float = 0
        for place in places { sum += weights[place] }
        sum += 1e-20
        for place in places { weights[place] /= sum }
      }
      for place in places { weights[place] *= config.scalingFactor }
    }
  }

  /// Sets `choice`, the values that experts are chosen by: their scores, plus a bias with `noaux_tc`, and 0
  /// for experts of groups that are not among the best. A group is as good as its best expert; with
  /// `noaux_tc`, as its best two together.
  private mutating func choose(_ scores: UnsafeBufferPointer<Float>) {
    setChoice(scores)
    guard config.groups > 1 else { return }
    let size = config.experts / config.groups
    quality.removeAll()
    for group in 0..<config.groups {
      let members = group * size..<(group + 1) * size
      let best = Self.takeLargest(choice.mutableElements, members).value
      quality.append(
        config.method == .noAuxTC ? best + Self.takeLargest(choice.mutableElements, members).value : best)
    }
    setChoice(scores)
    isKept.fill(false, count: config.groups)
    for _ in 0..<config.keptGroups {
      isKept[Self.takeLargest(quality.mutableElements, 0..<quality.count).place] = true
    }
    for expert in 0..<choice.count where !isKept[expert / size] { choice[expert] = 0 }
  }

  private mutating func setChoice(_ scores: UnsafeBufferPointer<Float>) {
    choice.removeAll()
    for expert in scores.indices { choice.append(scores[expert] + (bias?[expert] ?? 0)) }
  }

  /// Finds the largest value among `places`, the first of equals, and overwrites it so that it is not found
  /// again. A value that is not a number is never the largest.
  private static func takeLargest(
    _ values: UnsafeMutableBufferPointer<Float>, _ places: Range<Int>
  ) -> (place: Int, value: Float) {
    var best = places.lowerBound
    var largest = -Float.infinity
    for place in places where values[place] > largest { (best, largest) = (place, values[place]) }
    values[best] = -.infinity
    return (best, largest)
  }
}

import Foundation
import SIMDKernels
import TestSupport
import Testing
import VL2Quant
import VL2Run

/// Routing against a plain statement of the published rules.
@Suite struct RouterTests {
  private struct Item {
    var routing: LanguageConfig.Routing
    var logits: [Float]
    var bias: [Float]?
  }

  /// Ids and weights of one row.
  private func expected(_ item: Item) -> (experts: [Int], weights: [Double]) {
    let routing = item.routing
    let logits = item.logits.map(Double.init)
    let scores: [Double]
    switch routing.scoring {
    case .sigmoid: scores = logits.map { 1 / (1 + exp(-$0)) }
    case .softmax:
      let sum = logits.reduce(0) { $0 + exp($1) }
      scores = logits.map { exp($0) / sum }
    }
    var choice = zip(scores, item.bias ?? []).map { $0 + Double($1) }
    if item.bias == nil { choice = scores }
    if routing.method != .greedy {
      let size = routing.experts / routing.groups
      let quality = (0..<routing.groups).map { group in
        let sorted = choice[group * size..<(group + 1) * size].sorted(by: >)
        return routing.method == .noAuxTC ? sorted[0] + sorted[1] : sorted[0]
      }
      let kept = quality.indices.sorted { quality[$0] > quality[$1] }.prefix(routing.keptGroups)
      for expert in choice.indices where !kept.contains(expert / size) { choice[expert] = 0 }
    }
    let experts = Array(
      choice.indices.sorted { (choice[$0], -$0) > (choice[$1], -$1) }.prefix(routing.expertsPerToken))
    var weights = experts.map { scores[$0] }
    if routing.normalized && routing.expertsPerToken > 1 {
      let sum = weights.reduce(0, +)
      weights = weights.map { $0 / sum }
    }
    return (experts, weights.map { $0 * Double(routing.scalingFactor) })
  }

  @Test(
    arguments: [LanguageConfig.Routing.Scoring.softmax, .sigmoid],
    [LanguageConfig.Routing.Method.greedy, .groupLimitedGreedy, .noAuxTC])
  func publishedRules(scoring: LanguageConfig.Routing.Scoring, method: LanguageConfig.Routing.Method) throws {
    var random = SplitMix64(seed: 9)
    for (experts, groups, keptGroups, kept) in [(8, 1, 1, 2), (24, 6, 2, 5), (64, 8, 3, 6), (12, 3, 3, 1)] {
      var routing = try base()
      (routing.experts, routing.expertsPerToken) = (experts, kept)
      (routing.scoring, routing.method) = (scoring, method)
      (routing.groups, routing.keptGroups) = method == .greedy ? (1, 1) : (groups, keptGroups)
      (routing.normalized, routing.scalingFactor) = (experts != 64, 2)
      let bias = method == .noAuxTC ? (0..<experts).map { _ in 0.3 * random.normal() } : nil
      // A router whose weights are 1 on the diagonal passes its rows on as logits.
      let rows = (0..<40).map { _ in (0..<experts).map { _ in 2 * random.normal() } }
      let found = try route(routing, rows, bias: bias)
      for (row, logits) in rows.enumerated() {
        let (ids, weights) = expected(Item(routing: routing, logits: logits, bias: bias))
        let places = row * kept..<(row + 1) * kept
        #expect(found.experts[places].map(Int.init) == ids, "\(routing)")
        for (a, b) in zip(found.weights[places], weights) { #expect(abs(Double(a) - b) <= 1e-5 * b) }
      }
    }
  }

  /// Rows that are no numbers, as a damaged model gives them, are routed somewhere.
  @Test func notANumber() throws {
    var routing = try base()
    (routing.experts, routing.expertsPerToken, routing.groups, routing.keptGroups) = (12, 3, 3, 2)
    let rows = [Float.nan, .infinity, -.infinity].map { [Float](repeating: $0, count: 12) }
    let found = try route(routing, rows, bias: [Float](repeating: .nan, count: 12))
    #expect(found.experts.count == 3 * 3 && found.experts.allSatisfy { (0..<12).contains($0) })
  }

  /// The routing of the largest published model: sigmoid scores, `noaux_tc`.
  private func base() throws -> LanguageConfig.Routing {
    try #require(try ModelConfig(configFiles: PublishedSize.base.configFiles).language.routing)
  }

  private func route(_ routing: LanguageConfig.Routing, _ rows: [[Float]], bias: [Float]?) throws
    -> (experts: [Int32], weights: [Float])
  {
    let size = routing.experts
    let identity = AlignedBuffer()
    let blocks = (size + 15) / 16
    let weights = identity.reserve(blocks * size * 16, of: Float.self)
    weights.update(repeating: 0, count: blocks * size * 16)
    for i in 0..<size { weights[(i / 16 * size + i) * 16 + i % 16] = 1 }
    let biases = AlignedBuffer()
    let added = bias.map { bias in
      let memory = biases.reserve(size, of: Float.self)
      memory.update(from: bias, count: size)
      return UnsafePointer(memory)
    }
    var router = Router(
      weights: Linear(
        vl2_matrix(
          blocks: UnsafeRawPointer(weights).assumingMemoryBound(to: UInt8.self), block_step: size * 64,
          code: UInt32(VL2_CODE_F32), rows: UInt32(size), columns: UInt32(size))), bias: added,
      routing: routing,
      arithmetic: Arithmetic(pool: WorkerPool(threads: 1), mode: .int8))
    var input = rows.flatMap { $0 }
    var picks = ExpertPicks()
    input.withUnsafeMutableBufferPointer {
      router.route(Rows($0.baseAddress!, count: rows.count, columns: size), into: &picks)
    }
    return withExtendedLifetime((identity, biases)) {
      (Array(picks.experts.elements), Array(picks.weights.elements))
    }
  }
}

import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Measure
import VL2Run

@Suite struct RouteTraceTests {
  private var shape: RouteTrace {
    RouteTrace(layers: 12, experts: 64, expertsPerToken: 6, expertBytes: 1_890_000, slotBytes: 1_900_544)
  }

  @Test func recordsWhatLayersWant() throws {
    var options = RuntimeOptions(threads: 2)
    options.recordsRoutes = true
    let model = try Model(path: try PackedModels.path("nano-mha", .q4), options: options)
    let tokens = try model.answer(Question("Count to ten.", maxTokens: 9)).tokens
    let trace = try #require(model.routes)
    #expect(trace.layers == 3 && trace.experts == 8 && trace.expertsPerToken == 2)
    // The prompt and every token but the last, through the two layers with experts.
    #expect(trace.passes.count == tokens.count)
    #expect(trace.steps.count == 2 * tokens.count)
    #expect(trace.steps.allSatisfy { $0.counts.reduce(0, +) == 2 * $0.rows })
    #expect(trace.steps.last?.guessed.count == 2)

    try withTemporaryFolder { folder in
      let path = folder + "/routes.jsonl"
      try write(trace.text(), to: path)
      let again = try RouteTrace(contentsOf: path)
      #expect(again.steps == trace.steps)
      #expect(again.slotBytes == trace.slotBytes && again.expertBytes == trace.expertBytes)
    }
  }

  @Test(arguments: [
    "", "{}", "no trace", #"{"layers":3,"experts":8,"kept":9,"expert_bytes":1,"slot_bytes":1}"#,
    """
    {"layers":3,"experts":8,"kept":2,"expert_bytes":1,"slot_bytes":1}
    {"layer":3,"rows":1,"experts":[1,2]}
    """,
    """
    {"layers":3,"experts":8,"kept":2,"expert_bytes":1,"slot_bytes":1}
    {"layer":1,"rows":1,"experts":[2,1]}
    """,
    """
    {"layers":3,"experts":8,"kept":2,"expert_bytes":1,"slot_bytes":1}
    {"layer":1,"rows":1,"experts":[1,8]}
    """,
    """
    {"layers":3,"experts":8,"kept":2,"expert_bytes":1,"slot_bytes":1}
    {"layer":1,"rows":2,"experts":[1,2],"counts":[1]}
    """,
  ])
  func refusesWhatIsNoTrace(text: String) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/routes.jsonl"
      try write(text.utf8, to: path)
      #expect(throws: FileError.self) { try RouteTrace(contentsOf: path) }
    }
  }

  /// Nobody beats the one who knows the future, and everything fits in as many slots as there are experts.
  @Test func replay() {
    for repeated in [0, 0.45, 0.9] {
      let trace = RouteTrace.synthetic(like: shape, tokens: 60, repeated: repeated, seed: 3)
      let picks = trace.steps.filter { $0.rows == 1 }
      #expect(picks.count == 60 * 12 && picks.allSatisfy { $0.experts.count == 6 })
      for slots in [6, 40, 200] {
        let best = RouteReplay(trace, slots: slots, policy: nil)
        #expect(best.touched == 60 * 12 * 6 && best.tokens == 60)
        for policy in ReplacementPolicy.allCases {
          let replay = RouteReplay(trace, slots: slots, policy: policy)
          #expect(replay.hits <= best.hits, "\(policy), \(slots) slots, \(repeated)")
          #expect(replay.touched == best.touched)
        }
      }
      #expect(RouteReplay(trace, slots: 12 * 64, policy: .lru).misses == 0)
    }
    // Repeated picks are worth their share to a policy that remembers the last token.
    let trace = RouteTrace.synthetic(like: shape, tokens: 60, repeated: 0.45, seed: 3)
    let replay = RouteReplay(trace, slots: 72, policy: .lru)
    #expect(replay.hitRate > 0.35 && replay.hitRate < 0.6)
  }

  /// A trace of `tokens` tokens through layers 0..<12, each layer's picks drawn by `pick`.
  private func trace(tokens: Int, promptEvery: Int? = nil, pick: (_ layer: Int) -> Int) -> RouteTrace {
    var trace = shape
    for token in 0..<tokens {
      if let promptEvery, token % promptEvery == 0 {
        for layer in 0..<12 {
          trace.steps.append(
            .init(
              layer: layer, rows: 128, experts: Array(0..<64), counts: .init(repeating: 12, count: 64)))
        }
      }
      for layer in 0..<12 {
        var picks: Set<Int> = []
        while picks.count < 6 { picks.insert(pick(layer)) }
        trace.steps.append(
          .init(layer: layer, rows: 1, experts: picks.sorted(), counts: .init(repeating: 1, count: 6)))
      }
    }
    return trace
  }

  /// The policy that is used learns what a model's routes are like: it is as good as any other on routes that repeat, on
  /// routes with experts that are wanted often, on routes at random, and on short answers between prompts.
  @Test func likelyIsGoodAtAllRoutes() {
    var random = SplitMix64(seed: 9)
    func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
    let traces = [
      ("repeating", RouteTrace.synthetic(like: shape, tokens: 100, repeated: 0.45, seed: 3)),
      ("random", RouteTrace.synthetic(like: shape, tokens: 100, repeated: 0, seed: 3)),
      // Low numbers are picked far more often.
      ("skewed", trace(tokens: 120) { _ in below(64) * below(64) / 64 }),
      // Answers want a quarter of the experts, prompts all of them.
      ("answers", trace(tokens: 120, promptEvery: 6) { below(16) * 4 + $0 % 4 }),
    ]
    for (name, trace) in traces {
      for slots in [72, 200, 400] {
        let likely = RouteReplay(trace, slots: slots, policy: .likely).hitRate
        for other in ReplacementPolicy.allCases where other != .likely {
          let rate = RouteReplay(trace, slots: slots, policy: other).hitRate
          #expect(likely > rate - 0.03, "\(name), \(slots) slots, \(other): \(likely) against \(rate)")
        }
      }
    }
    // Each of the simple ones is far behind somewhere.
    func rate(_ place: Int, _ policy: ReplacementPolicy) -> Double {
      RouteReplay(traces[place].1, slots: 200, policy: policy).hitRate
    }
    #expect(rate(0, .aged) < rate(0, .likely) - 0.1)
    #expect(rate(2, .lru) < rate(2, .likely) - 0.03)
    #expect(rate(3, .stale) < rate(3, .likely) - 0.1)
  }

}

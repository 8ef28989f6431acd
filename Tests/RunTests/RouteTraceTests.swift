import Foundation
import TestSupport
import Testing
import VL2Quant
import VL2Run

@Suite struct RouteTraceTests {
  private var shape: RouteTrace {
    RouteTrace(layers: 12, experts: 64, expertsPerToken: 6, expertBytes: 1_890_000, slotBytes: 1_900_544)
  }

  @Test func recordsWhatLayersWant() throws {
    var options = RuntimeOptions(threads: 2)
    options.recordsRoutes = true
    let model = try Model(path: try PackedModels.path("nano-mha", .q4), options: options)
    let tokens = try Session(model).answer(
      Session.Request(turns: [Turn(role: .user, text: "Count to ten.")], maxTokens: 9)
    ).tokens
    let trace = try #require(model.routes)
    #expect(trace.layers == 3 && trace.experts == 8 && trace.expertsPerToken == 2)
    // The prompt and every token but the last, through the two layers with experts.
    #expect(trace.passes.count == tokens.count)
    #expect(trace.steps.count == 2 * tokens.count)
    #expect(trace.steps.allSatisfy { $0.counts.reduce(0, +) == 2 * $0.rows })
    #expect(trace.steps.last?.guessed.count == 2)

    try withTemporaryFolder { folder in
      let path = folder + "/routes.jsonl"
      try trace.text().write(to: URL(fileURLWithPath: path))
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
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      #expect(throws: RouteTraceError.self) { try RouteTrace(contentsOf: path) }
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
    // The policy that is used learns that, and is as good as the one that knows how often experts are used where
    // picks do not repeat.
    #expect(RouteReplay(trace, slots: 72, policy: .likely).hitRate > replay.hitRate - 0.05)
    var skewed = shape
    var random = SplitMix64(seed: 9)
    for _ in 0..<120 {
      for layer in 0..<12 {
        // Low numbers are picked far more often.
        var picks: Set<Int> = []
        while picks.count < 6 { picks.insert(Int(random.next() % 64) * Int(random.next() % 64) / 64) }
        var step = trace.steps[trace.steps.count - 1]
        step.layer = layer
        step.experts = picks.sorted()
        skewed.steps.append(step)
      }
    }
    let aged = RouteReplay(skewed, slots: 200, policy: .aged)
    #expect(RouteReplay(skewed, slots: 200, policy: .likely).hitRate > aged.hitRate - 0.02)
    #expect(aged.hitRate > RouteReplay(skewed, slots: 200, policy: .lru).hitRate)
  }

  @Test func policies() {
    func victim(_ policy: ReplacementPolicy) -> Int? {
      var table = SlotTable(layers: 2, experts: 4, slots: 3, policy: policy)
      for slot in 0..<3 { table.put(slot, in: slot) }
      // Expert 0 often and long ago, 1 once and lately, 2 twice.
      for pick in [0, 0, 0, 2, 2, 1] { table.use(layer: 0, [(pick, 1)], rows: 1) }
      return table.victim(where: { _, _ in true })
    }
    #expect(victim(.lru) == 0)
    #expect(victim(.lfu) == 1)
    #expect(victim(.aged) == 1)
    #expect(victim(.stale) == 0)
    // Picks have repeated, so the last one counts for more than two before it.
    #expect(victim(.likely) == 2)
    var table = SlotTable(layers: 2, experts: 4, slots: 1, policy: .lru)
    table.put(5, in: 0)
    table.put(6, in: 0)
    #expect(table.slot(of: 5) == nil && table.slot(of: 6) == 0 && table.expert(in: 0) == 6)
    #expect(table.victim(where: { _, expert in expert != 6 }) == nil)
  }
}

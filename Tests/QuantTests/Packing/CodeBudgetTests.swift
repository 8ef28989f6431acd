import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Codes that are chosen for a budget by what they lose.
@Suite struct CodeBudgetTests {
  private func checkpoint(_ name: String = "nano-mha") throws -> Checkpoint {
    try Checkpoint(folder: Fixtures.checkpoint(name))
  }

  /// Sums as many rows give, of which no column is like another.
  private func statistics(_ checkpoint: Checkpoint, seed: UInt64 = 1) throws -> CalibrationStatistics {
    var run = CalibrationRun(packedFile: "f", code: "q4", inputs: "a", prompts: 1)
    run.done = 1
    var statistics = CalibrationStatistics(try CalibratedModel(checkpoint), run: run)
    var random = SplitMix64(seed: seed)
    for place in statistics.sums.indices {
      for index in statistics.sums[place].squares.indices {
        let value = Double(random.normal())
        statistics.sums[place].squares[index] = 100 * value * value
      }
      statistics.sums[place].rows = [100, 100]
    }
    return statistics
  }

  /// Each matrix that is multiplied is in one group, and a group's patterns match its matrices alone.
  @Test(arguments: ["nano-mha", "nano-mla", "nano-sigmoid"]) func groups(name: String) throws {
    let config = try checkpoint(name).config
    let groups = CodeGroup.groups(of: config) { $0.contains(".experts.3.") ? 30 : 10 }
    let all = ModelLayout(config).sections.flatMap(\.tensors).filter { $0.kind == .matrix }.map(\.name)
    let multiplied = all.filter { $0 != "language.model.embed_tokens.weight" }
    #expect(groups.flatMap { $0.matrices.map(\.name) }.sorted() == multiplied.sorted())
    for group in groups {
      let rules = group.patterns.map { RecipeRule(pattern: $0, code: .int8) }
      let matched = all.filter { name in rules.contains { $0.matches(name) } }
      #expect(matched == group.matrices.map(\.name), "\(group.name)")
      #expect(group.matrices.allSatisfy { $0.share > 0 })
    }
    let layers = Double(config.language.layers)
    let routed = try #require(groups.first { $0.patterns[0].contains(".experts.*.gate_proj") })
    #expect(routed.patterns.count == 2)
    // Two matrices of one half of one block of all layers' two.
    let shares = routed.matrices.reduce(0) { $0 + $1.share }
    #expect(abs(shares - 2 * 0.5 / (2 * layers)) < 1e-12)
    let often = try #require(routed.matrices.first { $0.name.contains(".experts.3.") })
    let seldom = try #require(routed.matrices.first { $0.name.contains(".experts.2.") })
    #expect(abs(often.share - 3 * seldom.share) < 1e-12)
    #expect(groups.last?.matrices.map(\.share) == [1])
  }

  @Test func losses() throws {
    let checkpoint = try checkpoint()
    let statistics = try statistics(checkpoint)
    let losses = try CodeLoss.measure(checkpoint, statistics, threads: 1)
    #expect(try CodeLoss.measure(checkpoint, statistics, threads: 3) == losses)
    for loss in losses {
      let (q4, int8) = (try #require(loss.q4Loss), try #require(loss.int8Loss))
      #expect(0 < int8 && 50 * int8 < q4, "\(loss.group.name)")
      #expect(loss.q4Bytes < loss.int8Bytes && loss.gain > 0)
    }
    // The head's share is 1, so that its loss is the square of its weighted error.
    let head = try #require(losses.last?.q4Loss).squareRoot()
    #expect((0.03...0.12).contains(head))

    // Of one matrix alone is something else known.
    var other = statistics
    let place = try #require(statistics.inputs.places["language.lm_head.weight"])
    other.sums[place].squares.reverse()
    let changed = try CodeLoss.measure(checkpoint, other, threads: 1)
    #expect(changed.dropLast() == losses.dropLast() && changed.last != losses.last)
    // And of one nothing at all: it keeps q4 whatever the budget.
    other.sums[place] = CalibrationStatistics.Sums(columns: other.sums[place].columns)
    let unknown = try CodeLoss.measure(checkpoint, other, threads: 1)
    #expect(unknown.last?.q4Loss == nil && unknown.last?.gain == 0)
    let most = CodeBudget.Choice(losses: unknown, int8: Set(unknown.indices)).bitsPerWeight
    #expect(!(try CodeBudget(.bits(most)).choose(unknown).int8.contains(unknown.count - 1)))
  }

  private func loss(_ name: String, rows: Int, _ q4: Double?, _ int8: Double? = 0) -> CodeLoss {
    let matrix = CodeGroup.Matrix(name: name, shape: [rows, 64], share: 1)
    return CodeLoss(CodeGroup(patterns: [name], matrices: [matrix]), q4Loss: q4, int8Loss: int8)
  }

  /// What saves most for each byte comes first; what is too large is passed over; of equals the earlier.
  @Test func choices() throws {
    let losses = [
      loss("large", rows: 640, 9), loss("small", rows: 16, 1), loss("same", rows: 16, 1),
      loss("unknown", rows: 16, nil, nil),
    ]
    let step = losses[1].int8Bytes - losses[1].q4Bytes
    let weights = losses.reduce(0) { $0 + $1.group.weights }
    func choose(_ steps: Double) throws -> [String] {
      let base = CodeBudget.Choice(losses: losses, int8: []).bytes
      let bits = 8 * (Double(base) + steps * Double(step) + 0.5) / Double(weights)
      let choice = try CodeBudget(.bits(bits)).choose(losses)
      #expect(choice.bitsPerWeight <= bits)
      return choice.int8.sorted().map { losses[$0].group.name }
    }
    #expect(try choose(0) == [])
    #expect(try choose(1) == ["small"])
    #expect(try choose(2) == ["small", "same"])
    #expect(try choose(41) == ["small", "same"])
    #expect(try choose(42) == ["large", "small", "same"])
    let all = CodeBudget.Choice(losses: losses, int8: [0, 1])
    #expect(abs(all.lossShare - 1.0 / 11) < 1e-12)
    #expect(all.recipe.code(for: "large") == .int8 && all.recipe.code(for: "same") == .q4)
    #expect(all.recipe.code(for: "language.model.embed_tokens.weight") == .int8)
    #expect(all.recipe.code(for: "language.model.layers.3.mlp.gate.weight") == .f32)
  }

  @Test func impossibleBudgets() throws {
    let losses = [loss("a", rows: 32, 1), loss("b", rows: 64, 2)]
    let (least, most) = (
      CodeBudget.Choice(losses: losses, int8: []).bitsPerWeight,
      CodeBudget.Choice(losses: losses, int8: [0, 1]).bitsPerWeight
    )
    #expect(try CodeBudget(.bits(least)).choose(losses).int8.isEmpty)
    #expect(try CodeBudget(.bits(most)).choose(losses).int8 == [0, 1])
    for bits in [least - 1e-6, most + 1e-6, 0, -4, .infinity] {
      #expect(throws: CodeBudgetError.bits(bits, smallest: least, largest: most)) {
        try CodeBudget(.bits(bits)).choose(losses)
      }
    }
    #expect(throws: CodeBudgetError.self) { try CodeBudget(.bits(.nan)).choose(losses) }
    func size(_ recipe: Recipe) -> Int { 1000 * recipe.rules.count }
    for bytes in [2999, 5001, 0, -1] {
      #expect(throws: CodeBudgetError.size(bytes, smallest: 3000, largest: 5000)) {
        try CodeBudget(.size(bytes)).choose(losses, size: size)
      }
    }
  }

  /// A file of a size is no larger than that, and the bound is near.
  @Test(arguments: ["nano-mha", "nano-mla"]) func sizes(name: String) throws {
    let checkpoint = try checkpoint(name)
    let statistics = try statistics(checkpoint)
    let losses = try CodeLoss.measure(checkpoint, statistics, threads: 2)
    let size = try PackedSize(checkpoint)
    let (least, most) = (
      try size.atMost(Recipe(matrices: .q4)),
      try size.atMost(CodeBudget.Choice(losses: losses, int8: Set(losses.indices)).recipe)
    )
    #expect(least < most)
    try withTemporaryFolder { folder in
      for bytes in [least, (least + most) / 2, most] {
        let choice = try CodeBudget(.size(bytes)).choose(losses, size: size.atMost)
        let file = try packed(Fixtures.checkpoint(name), to: folder + "/model.vl2q", choice.recipe)
        let length = try InputFile(path: folder + "/model.vl2q").length
        let bound = try size.atMost(choice.recipe)
        #expect(length <= bound && bound <= bytes)
        #expect(bound - length < checkpoint.tokenizerJSON.count + 500_000)
        #expect(file.manifest.recipe == choice.recipe.rules)
      }
    }
  }
}

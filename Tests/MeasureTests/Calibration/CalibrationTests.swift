import Synchronization
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Measure
import VL2Quant
import VL2Run

/// What is collected while a model reads and answers.
@Suite struct CalibrationTests {
  private static let picture = "wide.jpg"

  private func begun(_ model: Model) throws -> CalibrationStatistics {
    CalibrationStatistics(
      try CalibratedModel(model.file), run: Calibration.run(model.file, inputs: "i", prompts: 3))
  }

  private func collected(
    _ checkpoint: String, _ code: WeightCode = .q4, activations: ActivationMode = .int8, threads: Int = 2,
    chunk: Int? = nil, questions: Int = 1
  ) throws -> CalibrationStatistics {
    let model = try PackedModels.open(checkpoint, code, activations: activations, threads: threads)
    if let chunk { model.decoder.chunk = chunk }
    let calibration = try Calibration(model, try begun(model), maxTokens: 5)
    for question in 0..<questions {
      try calibration.ask([.user("What is number \(question)?", pictures: [try golden(Self.picture)])])
    }
    try calibration.read(Array(1..<40))
    return calibration.statistics
  }

  /// Every row of every matrix is counted once.
  @Test(arguments: ["nano-mha", "nano-mla", "nano-sigmoid"])
  func everyRowCountsOnce(_ checkpoint: String) throws {
    let statistics = try collected(checkpoint)
    let (run, config) = (statistics.runs[0], try PackedModels.file(checkpoint, .q4).config)
    #expect(run.done == 2 && run.pictures == 1 && run.questions == 1 && run.texts == 1)
    // The last token of an answer is not gone on from.
    let all = run.textTokens + run.answerTokens - (run.answerTokens == 5 ? 1 : 0)
    var picks: [String: [Int]] = [:]
    for (input, sums) in zip(statistics.inputs.inputs, statistics.sums) {
      let name = input.name
      if let pool = input.pool {
        picks[pool, default: [0, 0]][0] += sums.rows[0]
        picks[pool, default: [0, 0]][1] += sums.rows[1]
      } else if name == "language.lm_head.weight" {
        #expect(sums.rows == [0, 40 + all - run.textTokens + 1])
      } else if name.hasPrefix("language.") {
        #expect(sums.rows == [run.pictureTokens, all], "\(name)")
      } else {
        #expect(sums.rows[1] == 0 && sums.rows[0] > 0, "\(name)")
        if name.hasPrefix("vision.") { #expect(sums.rows[0] % config.vision.patches == 0) }
      }
    }
    let kept = config.language.routing?.expertsPerToken ?? 0
    for (pool, rows) in picks { #expect(rows == [kept * run.pictureTokens, kept * all], "\(pool)") }
    #expect(picks.isEmpty == (config.language.routing == nil))
  }

  /// A row behind a norm has a mean square of 1 before its weights.
  @Test(arguments: [WeightCode.q4, .bf16])
  func normedRowsHaveTheirSize(_ code: WeightCode) throws {
    let statistics = try collected("nano-mha", code)
    let file = try PackedModels.file("nano-mha", code)
    let hidden = file.config.language.hiddenSize
    for (matrix, norm) in [
      ("layers.0.self_attn.q_proj.weight", "layers.0.input_layernorm.weight"),
      ("layers.1.self_attn.v_proj.weight", "layers.1.input_layernorm.weight"),
      ("layers.0.mlp.up_proj.weight", "layers.0.post_attention_layernorm.weight"),
    ] {
      let sums = try #require(statistics.sums(of: "language.model." + matrix))
      let weights = try file.plain("language.model." + norm, count: hidden)
      for kind in CalibrationStatistics.Kind.allCases {
        let size = zip(sums.squares(kind), weights).reduce(0.0) { sum, item in
          sum + item.0 / (Double(item.1) * Double(item.1))
        }
        let rows = Double(sums.rows[kind.rawValue])
        #expect(abs(size / (rows * Double(hidden)) - 1) < 0.01, "\(matrix) \(kind)")
      }
    }
  }

  /// Threads, and how many rows go through the weights together, change no bit.
  @Test(arguments: ["nano-mha", "nano-mla"])
  func theSameBitsHoweverItIsComputed(_ checkpoint: String) throws {
    let one = try collected(checkpoint, threads: 1, questions: 2)
    #expect(try collected(checkpoint, threads: 3, questions: 2) == one)
    #expect(try collected(checkpoint, threads: 2, chunk: 16, questions: 2) == one)
  }

  /// Whoever looks on changes nothing.
  @Test func answersStayTheSame() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    func logits() throws -> [Float] {
      let reading = try Reading(
        [.user("What?", pictures: [try golden(Self.picture)])], room: .init(maxTokens: 4), model: model)
      let rows = try reading.logits()
      return Array(UnsafeBufferPointer(start: rows[0], count: rows.columns))
    }
    let before = try logits()
    let collector = try InputCollector(model)
    model.arithmetic.tap = collector
    #expect(try logits().map(\.bitPattern) == before.map(\.bitPattern))
    model.arithmetic.tap = nil
    var statistics = try begun(model)
    collector.take(into: &statistics)
    #expect(statistics.sums.contains { $0.allRows > 0 })
    let taken = statistics
    collector.take(into: &statistics)
    #expect(statistics == taken)
  }

  /// A prompt that is interrupted leaves nothing; going on gives what a run that was not interrupted gives.
  @Test func interruptedPromptsLeaveNothing() throws {
    struct Interruption: Error {}
    let model = try PackedModels.open("nano-mha", .q4)
    func ask(_ calibration: Calibration, _ number: Int, check: () throws -> Void = {}) throws {
      try calibration.ask([.user("\(number)?", pictures: [try golden(Self.picture)])], check: check)
    }
    let whole = try Calibration(model, try begun(model), maxTokens: 4)
    for number in 0..<3 { try ask(whole, number) }
    let first = try Calibration(model, try begun(model), maxTokens: 4)
    try ask(first, 0)
    let done = first.statistics
    var checks = 0
    #expect(throws: Interruption.self) {
      try ask(first, 1) {
        checks += 1
        if checks == 9 { throw Interruption() }
      }
    }
    #expect(first.statistics == done)
    let second = try Calibration(model, done, maxTokens: 4)
    for number in 1..<3 { try ask(second, number) }
    #expect(second.statistics == whole.statistics)
    #expect(second.statistics.isComplete)
  }
}

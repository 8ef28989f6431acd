import TestModels
import TestSupport
import Testing
import VL2Quant

/// What columns count, by what was collected.
@Suite struct ColumnImportanceTests {
  private func sums(_ picture: [Double], _ text: [Double], rows: [Int]) -> CalibrationStatistics.Sums {
    var sums = CalibrationStatistics.Sums(columns: picture.count)
    sums.squares = picture + text
    sums.rows = rows
    return sums
  }

  @Test func bothKindsCountTheSame() throws {
    let sums = sums([300, 0, 0], [0, 100, 50], rows: [300, 50])
    // Means 1, 0, 0 and 0, 2, 1.
    #expect(try #require(ColumnImportance.values(sums, .equal)) == [0.75, 1.5, 0.75])
    // Sums over 350 rows, with a mean of 1.
    #expect(try #require(ColumnImportance.values(sums, .byCount)) == [2, Float(2.0 / 3), Float(1.0 / 3)])
  }

  @Test func fewRowsOfAKindDoNotSpeakForIt() throws {
    let sums = sums([300, 0], [0, 100], rows: [300, 20])
    #expect(ColumnImportance.values(sums, .equal) == ColumnImportance.values(sums, .byCount))
    #expect(ColumnImportance.values(self.sums([300, 0], [0, 0], rows: [31, 0]), .equal) == nil)
    #expect(ColumnImportance.values(self.sums([0, 0], [0, 0], rows: [310, 0]), .equal) == nil)
    // What was never seen counts a little.
    #expect(ColumnImportance.values(self.sums([300, 0], [0, 0], rows: [310, 0]), .equal) == [2, 1e-4])
  }

  @Test func expertsWithFewRowsTakeTheLayers() throws {
    let model = try CalibratedModel(try Checkpoint(folder: Fixtures.checkpoint("nano-mha")))
    var run = CalibrationRun(packedFile: "f", code: "q4", inputs: "i", prompts: 1)
    run.done = 1
    var statistics = CalibrationStatistics(model, run: run)
    let layer = "language.model.layers.1.mlp.experts."
    func place(_ expert: Int) throws -> Int {
      try #require(model.inputs.places[layer + "\(expert).gate_proj.weight"])
    }
    let columns = statistics.sums[try place(0)].columns
    for expert in 0..<3 {
      statistics.sums[try place(expert)].rows = [[40, 3, 0][expert], 0]
      for column in 0..<columns where expert < 2 {
        statistics.sums[try place(expert)].squares[column] = Double((column + 7 * expert) % 5)
      }
    }
    let importance = ColumnImportance(statistics)
    let own = try #require(importance[layer + "0.up_proj.weight"])
    let few = try #require(importance[layer + "1.gate_proj.weight"])
    let none = try #require(importance[layer + "2.gate_proj.weight"])
    #expect(own.source == .own)
    #expect(few.source == .layer && none.source == .layer && few.values == none.values)
    #expect(own.values != few.values)
    // Nothing is known of other layers.
    #expect(importance["language.lm_head.weight"] == nil)
    #expect(importance[layer + "0.down_proj.weight"] == nil)
  }
}

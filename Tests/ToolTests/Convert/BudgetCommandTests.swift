import Foundation
import TestModels
import TestSupport
import Testing
import VL2Quant

/// `vl2-convert pack --bits` and `--size`.
@Suite struct BudgetCommandTests {
  private let convert = Tool("vl2-convert")

  private func writeStatistics(to path: String) throws {
    let checkpoint = try Checkpoint(folder: Fixtures.checkpoint("nano-mha"))
    var run = CalibrationRun(packedFile: "f", code: "q4", inputs: "a", prompts: 1)
    run.done = 1
    var statistics = CalibrationStatistics(try CalibratedModel(checkpoint), run: run)
    var random = SplitMix64(seed: 3)
    for place in statistics.sums.indices {
      for index in statistics.sums[place].squares.indices {
        statistics.sums[place].squares[index] = Double(random.normal() + 9)
      }
      statistics.sums[place].rows = [100, 100]
    }
    try CalibrationFile.write(statistics, to: path)
  }

  /// The recipe of a file that was packed for a budget gives the same file again.
  @Test func commands() throws {
    try withTemporaryFolder { folder in
      let statistics = folder + "/statistics.safetensors"
      try writeStatistics(to: statistics)
      func pack(_ name: String, _ words: String...) throws -> ToolRun {
        try convert.run(
          ["pack", Fixtures.checkpoint("nano-mha"), "-o", folder + "/" + name, "--calibration", statistics]
            + words)
      }
      let budget = try pack("budget.vl2q", "--bits", "5.5")
      #expect(budget.status == 0 && budget.errors.isEmpty, "\(budget.errors)")
      #expect(budget.output.contains("int8") && budget.output.contains("language.lm_head.weight"))
      #expect(budget.output.contains("bits a weight"))
      let recipe = try convert.run(["inspect", folder + "/budget.vl2q", "--recipe"])
      #expect(recipe.status == 0 && recipe.output.contains("int8"))
      try write(recipe.output.utf8, to: folder + "/recipe.json")
      let again = try pack("again.vl2q", "--recipe", folder + "/recipe.json")
      #expect(again.status == 0 && again.output.isEmpty, "\(again.errors)")
      #expect(try bytes(of: folder + "/again.vl2q") == bytes(of: folder + "/budget.vl2q"))

      let refusals: [(words: [String], parts: [String])] = [
        (["--bits", "3"], ["3.000 bits a weight are not possible", "give ", " to "]),
        (["--bits", "9"], ["not possible"]), (["--size", "10K"], ["not possible", "give "]),
        (["--size", "10G"], ["not possible"]), (["--size", "x"], ["2G"]),
        (["--bits", "5", "--size", "1M"], ["give one of them"]),
        (["--bits", "5", "--weights", "q4"], ["leave --recipe and --weights out"]),
        (["--bits", "5", "--recipe", "x.json"], ["leave --recipe and --weights out"]),
      ]
      for (words, parts) in refusals {
        let run = try convert.run(
          [
            "pack", Fixtures.checkpoint("nano-mha"), "-o", folder + "/no.vl2q", "--calibration", statistics,
          ] + words)
        #expect(run.status == 64 && run.output.isEmpty, "\(words): \(run.errors)")
        for part in parts { #expect(run.errors.contains(part), "\(words): \(run.errors)") }
      }
      let alone = try convert.run(
        ["pack", Fixtures.checkpoint("nano-mha"), "-o", folder + "/no.vl2q", "--bits", "5"])
      #expect(alone.status == 64 && alone.errors.contains("--calibration"))
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(!names.contains { $0.hasPrefix("no.vl2q") })
    }
  }
}

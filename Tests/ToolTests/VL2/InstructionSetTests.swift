import Foundation
import TestModels
import TestSupport
import Testing
import VL2Quant
import VL2Run

/// Every instruction set that this processor runs gives the bits of the portable kernels, through all of a model.
@Suite struct InstructionSetTests {
  private let vl2 = Tool("vl2")

  /// Every stage of the golden cases. A checkpoint with one code each, since a trace takes seconds.
  @Test(
    arguments: zip(
      ["nano-mha", "nano-mla", "nano-sigmoid", "nano-outliers"], [WeightCode.q4, .q4, .int8, .bf16]))
  func sameStages(checkpoint: String, weights: WeightCode) throws {
    let model = try PackedModels.path(checkpoint, weights)
    try withTemporaryFolder { folder in
      let words = ["trace", "--model", model, "--cases", Fixtures.path("golden/cases.json")]
      for isa in InstructionSet.available {
        let exact = weights == .bf16 ? ["--exact"] : []
        let run = try vl2.run(words + ["-o", "\(folder)/\(isa)"] + exact, environment: ["VL2_ISA": isa])
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        for name in Fixtures.goldenCases {
          let found = try bytes(of: "\(folder)/\(isa)/\(name).safetensors")
          let right = try bytes(of: "\(folder)/portable/\(name).safetensors")
          #expect(found == right, "\(isa), \(name)")
        }
      }
    }
  }

  /// Answers of the model that ships.
  @Test func sameAnswers() throws {
    let model = try PackedModels.pocket()
    try withTemporaryFolder { folder in
      var answers: [String] = []
      for isa in InstructionSet.available {
        let path = "\(folder)/\(isa).jsonl"
        let run = try vl2.run(
          [
            "eval", "--model", model, "--items", Fixtures.pocket + "/eval/ci/items.jsonl", "--limit", "4",
            "--answers", path,
          ], environment: ["VL2_ISA": isa])
        #expect(run.status == 0, "\(isa): \(run.errors)")
        answers.append(try String(contentsOfFile: path, encoding: .utf8))
      }
      #expect(answers[0].split(separator: "\n").count == 4)
      for (isa, found) in zip(InstructionSet.available, answers) { #expect(found == answers[0], "\(isa)") }
    }
  }
}

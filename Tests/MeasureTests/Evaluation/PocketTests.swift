import Foundation
import TestSupport
import Testing
import VL2Measure
import VL2Quant
import VL2Run

/// The model that ships, packed as users pack it, still answers: 300 of its held-out questions.
@Suite struct PocketTests {
  private static let folder = Fixtures.folder + "/../../../models/pocket"

  @Test func answersStayRight() throws {
    try withTemporaryFolder { temporary in
      let path = temporary + "/pocket.vl2q"
      let checkpoint = try Checkpoint(folder: Self.folder + "/checkpoint")
      try ModelPacker(recipe: Recipe(matrices: .q4), compression: .never, threads: 2, tool: "tests").pack(
        checkpoint, to: path)
      let model = try Model(path: path, options: RuntimeOptions(threads: 2))
      #expect(model.demonstrationNotice != nil)

      let session = Session(model)
      var evaluation = Evaluation()
      for item in try EvaluationItem.load(Self.folder + "/eval/ci/items.jsonl") {
        let answer = try item.answer(by: session, maxTokens: 128)
        evaluation.add(task: item.task, isRight: item.expected.accepts(answer))
      }
      #expect(evaluation.overall.items == 300)
      #expect(evaluation.tasks.count == 16)
      // The card says how many are right; packing and kernels may cost a few of them, a fault costs most.
      #expect(evaluation.overall.accuracy >= Self.floor, "\(evaluation.overall.right) of 300 right")
    }
  }

  private static let floor = 0.87
}

import TestModels
import TestSupport
import Testing
import VL2Measure
import VL2Run

/// The model that ships, packed as users pack it, still answers: 300 of its held-out questions. An emulator, which takes half
/// an hour for them, asks every tenth; that its answers are those of other processors is held by scripts/arm64/test.sh.
@Suite struct PocketTests {
  @Test func answersStayRight() async throws {
    let engine = try await Engine(
      path: PackedModels.pocket(), options: RuntimeOptions(threads: 2), keeping: 0)
    #expect(engine.demonstrationNotice != nil)

    var evaluation = Evaluation()
    let items = try EvaluationItem.load(Fixtures.pocket + "/eval/ci/items.jsonl")
    #expect(items.count == 300)
    for (number, item) in items.enumerated() where !Tool.isEmulated || number % 10 == 0 {
      let answer = try await item.answer(by: engine, maxTokens: 128)
      evaluation.add(task: item.task, isRight: item.expected.accepts(answer))
    }
    if !Tool.isEmulated { #expect(evaluation.tasks.count == 16) }
    // The card says how many are right; packing and kernels may cost a few of them, a fault costs most.
    #expect(
      evaluation.overall.accuracy >= Self.floor,
      "\(evaluation.overall.right) of \(evaluation.overall.items) right")
  }

  private static let floor = 0.87
}

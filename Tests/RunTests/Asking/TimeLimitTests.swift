import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// Answers whose time is limited.
@Suite struct TimeLimitTests {
  /// With a slow card, so that nothing is over before it is caught.
  private func slowEngine() async throws -> Engine {
    var options = RuntimeOptions(threads: 2)
    options.slots = 3
    options.bytesPerSecond = 4 << 20
    return try await Engine(path: try PackedModels.path("nano-mha", .q4), options: options)
  }

  private static let schema =
    #"{"type":"object","properties":{"text":{"type":"string","minLength":600},"a name of some length":{"type":"boolean"}},"required":["text","a name of some length"]}"#

  /// A text under a schema is whole also where its time is over, unless it has not begun.
  @Test func schemaIsCompleted() async throws {
    let engine = try await slowEngine()
    var question = Question("go", maxTokens: 900)
    question.form = .schema(try JSONSchema(Array(Self.schema.utf8), name: "s.json"))
    question.timeLimit = 0
    let never = try await engine.answer(question).answer()
    #expect(never.ending == .timeLimit && never.text.isEmpty && never.tokens.isEmpty)
    var completed = 0
    for seconds in [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4] where completed < 3 {
      question.timeLimit = seconds
      var pieces = ""
      let answer = try await engine.answer(question).answer { event in
        if case .text(let piece, _) = event { pieces += piece }
      }
      #expect(answer.ending == .timeLimit && pieces == answer.text)
      guard !answer.tokens.isEmpty else {
        #expect(answer.text.isEmpty)
        continue
      }
      completed += 1
      let object = try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [String: Any]
      #expect(object?.keys.count == 2 && (object?["text"] as? String ?? "").unicodeScalars.count >= 600)
      // What was written last took no pass.
      #expect(answer.counts.writingPasses < answer.tokens.count)
    }
    #expect(completed > 0)
  }

  /// Half of the time is for looking and reading, of what is left when the question's turn comes.
  @Test func tilesFitHalfOfIt() async throws {
    var question = Question("What is there?", pictures: [try golden("wide.jpg")], maxTokens: 1)
    // Three tiles take nearly half of the time.
    question.tileLimit = .halfOfTimeLimit(at: .init(tileSeconds: 16.6, promptTokensPerSecond: 1e9))
    let model = try PackedModels.open("nano-mha", .q4)
    #expect(throws: QuestionError.tilesWithoutTimeLimit) { try model.answer(question) }
    question.timeLimit = 100
    let all = try model.answer(question).plan
    #expect(all?.total == 3 && all?.unlimitedTiles != all?.tiles)
    let late = try AnswerWriter(question, turns: question.turns, model: model, secondsLeft: 60).answer().plan
    #expect(late?.total == 1)
    let engine = try await Engine(path: try PackedModels.path("nano-mha", .q4))
    // The engine is busy when the question comes.
    let (begun, begins) = AsyncStream.makeStream(of: Void.self)
    let end = DispatchSemaphore(value: 0)
    async let other: Void = engine.withModel { _ in
      begins.finish()
      end.wait()
    }
    for await _ in begun {}
    let events = engine.answer(question)
    try await Task.sleep(for: .milliseconds(600))
    end.signal()
    let waited = try await events.answer()
    try await other
    #expect(waited.plan?.total == 1 && waited.counts.seconds.queued > 0.4)
  }
}

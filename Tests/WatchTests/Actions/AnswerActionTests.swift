import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Watch

@Suite struct AnswerActionTests {
  private func finish(_ action: inout AnswerAction) -> [ChildError] {
    var errors: [ChildError] = []
    for _ in 0..<3000 {
      if let error = action.step() { errors.append(error) }
      if !action.isBusy { break }
      Thread.sleep(forTimeInterval: 0.01)
    }
    return errors
  }

  @Test func answersAreInput() throws {
    try withTemporaryFolder { folder in
      var action = AnswerAction("cat >>\(folder)/out", seconds: 20)
      for answer in ["$(touch \(folder)/owned); `id`", "two\nlines"] {
        action.take(answer)
        #expect(finish(&action).isEmpty)
      }
      let out = try String(contentsOfFile: folder + "/out", encoding: .utf8)
      #expect(out == "$(touch \(folder)/owned); `id`\ntwo lines\n")
      #expect(!FileManager.default.fileExists(atPath: folder + "/owned"))
    }
  }

  /// While one is at work, the newest answer waits.
  @Test func slow() throws {
    try withTemporaryFolder { folder in
      var action = AnswerAction("sleep 0.3; cat >>\(folder)/out", seconds: 20)
      let begin = ContinuousClock.now
      for answer in ["a", "b", "c", "d"] {
        action.take(answer)
        #expect(action.step() == nil)
      }
      #expect(ContinuousClock.now - begin < .seconds(0.25))
      #expect(finish(&action).isEmpty && action.leftOut == 2)
      let out = try String(contentsOfFile: folder + "/out", encoding: .utf8)
      #expect(out == "a\nd\n")
    }
  }

  @Test func failures() {
    var action = AnswerAction("echo 'no broker' >&2; exit 4", seconds: 20)
    action.take("a")
    #expect(finish(&action).first?.description.contains("ended with status 4: no broker") == true)
    action = AnswerAction("sleep 1000", seconds: 0.2)
    action.take("a")
    #expect(finish(&action).first?.description.contains("took more than 0.2 s") == true)
    action = AnswerAction("sleep 1000", seconds: 100)
    action.take("a")
    #expect(action.step() == nil && action.isBusy)
    action.stop()
    #expect(!action.isBusy)
  }
}

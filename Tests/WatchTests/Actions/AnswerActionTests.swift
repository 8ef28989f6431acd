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
      var action = AnswerAction("echo \"$1: $(cat)\" >>\(folder)/out", seconds: 20)
      for answer in ["$(touch \(folder)/owned); `id`", "two\nlines"] {
        action.take(answer, of: "gate; id")
        #expect(finish(&action).isEmpty)
      }
      let out = try String(contentsOfFile: folder + "/out", encoding: .utf8)
      #expect(out == "gate; id: $(touch \(folder)/owned); `id`\ngate; id: two lines\n")
      #expect(!FileManager.default.fileExists(atPath: folder + "/owned"))
    }
  }

  /// While one is at work, the newest answer waits.
  @Test func slow() throws {
    try withTemporaryFolder { folder in
      var action = AnswerAction("sleep 0.3; cat >>\(folder)/out", seconds: 20)
      let begin = ContinuousClock.now
      for answer in ["a", "b", "c", "d"] {
        action.take(answer, of: "x")
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
    action.take("a", of: "x")
    #expect(finish(&action).first?.description.contains("ended with status 4: no broker") == true)
    action = AnswerAction("sleep 1000", seconds: 0.2)
    action.take("a", of: "x")
    #expect(finish(&action).first?.description.contains("took more than 0.2 s") == true)
    action = AnswerAction("sleep 1000", seconds: 100)
    action.take("a", of: "x")
    #expect(action.step() == nil && action.isBusy)
    action.stop()
    #expect(!action.isBusy)
  }

  /// Steps until something holds.
  private func step(_ action: inout AnswerAction, until holds: (AnswerAction) -> Bool) -> Bool {
    for _ in 0..<6000 {
      if let error = action.step() { Issue.record("\(error)") }
      if holds(action) { return true }
      Thread.sleep(forTimeInterval: 0.01)
    }
    return false
  }

  private func text(_ path: String) -> String {
    (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }

  /// A sentence is with the command before the answer is over, and one command has all of an answer.
  @Test func sentencesAsTheyEnd() throws {
    try withTemporaryFolder { folder in
      let out = folder + "/out"
      var action = AnswerAction("while read -r line; do echo \"$$ $line\" >>\(out); done", seconds: 60)
      action.write("A red gate. It st", of: "x")
      #expect(step(&action) { _ in self.text(out).hasSuffix(" A red gate.\n") })
      action.write("ands open. Nobody is", of: "x")
      #expect(step(&action) { _ in self.text(out).hasSuffix(" It stands open.\n") })
      #expect(action.isBusy)
      action.write(" there", of: "x")
      action.finish(of: "x")
      #expect(finish(&action).isEmpty)
      let lines = text(out).split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1) }
      #expect(lines.map(\.last) == ["A red gate.", "It stands open.", "Nobody is there"])
      #expect(Set(lines.map(\.first)).count == 1)
      // An answer that failed half-way: what was begun is not told.
      action.write("One. Tw", of: "x")
      action.finish(of: "x", isWhole: false)
      #expect(finish(&action).isEmpty && text(out).hasSuffix(" One.\n"))
      // Nothing to say starts nothing.
      action.write(" \n", of: "x")
      action.finish(of: "x")
      #expect(!action.isBusy)
    }
  }

  /// While a command is at work with an answer, the next one is collected, and the newest waits.
  @Test func sentencesWait() throws {
    try withTemporaryFolder { folder in
      let out = folder + "/out"
      var action = AnswerAction(
        "while [ ! -e \(folder)/go ]; do sleep 0.02; done; cat >>\(out)", seconds: 100)
      for (question, answer) in [("a", "One. Two."), ("b", "Three. Four."), ("c", "Five. Six.")] {
        for piece in answer.split(separator: " ") { action.write(piece + " ", of: question) }
        #expect(action.step() == nil)
        action.finish(of: question)
        #expect(action.step() == nil)
      }
      #expect(action.leftOut == 1)
      action.write("Sev", of: "d")
      #expect(action.leftOut == 1)
      try write([], to: folder + "/go")
      #expect(step(&action) { _ in self.text(out) == "One.\nTwo.\nFive.\nSix.\n" })
      action.write("en. Eight", of: "d")
      action.finish(of: "d")
      #expect(finish(&action).isEmpty)
      #expect(text(out) == "One.\nTwo.\nFive.\nSix.\nSeven.\nEight\n")
    }
  }

  /// One that does not read what it is given keeps nobody waiting; one that ends early gets no more.
  @Test func doesNotRead() throws {
    try withTemporaryFolder { folder in
      var action = AnswerAction("echo $$ >\(folder)/pid; exec sleep 1000", seconds: 0.3)
      let sentence = String(repeating: "word ", count: 100) + "end. "
      action.write("Begin. ", of: "x")
      #expect(step(&action) { _ in !self.text(folder + "/pid").isEmpty })
      let begin = ContinuousClock.now
      for _ in 0..<1000 {
        action.write(sentence, of: "x")
        #expect(action.step() == nil)
      }
      #expect(ContinuousClock.now - begin < .seconds(20))
      action.finish(of: "x")
      #expect(finish(&action).first?.description.contains("took more than 0.3 s") == true)
      let pid = try #require(Int32(text(folder + "/pid").trimmingCharacters(in: .newlines)))
      #expect(kill(pid, 0) == -1)
      action = AnswerAction("head -n 1 >\(folder)/first", seconds: 60)
      action.write("One. Two", of: "x")
      #expect(step(&action) { !$0.isBusy })
      action.write(". Three. ", of: "x")
      action.finish(of: "x")
      #expect(!action.isBusy && text(folder + "/first") == "One.\n")
    }
  }
}

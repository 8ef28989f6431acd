import VL2Base

/// A command that is given answers on its standard input, a line for each sentence as it ends.
///
/// One command is at work at a time, with one answer; while a slow one is, the newest answer waits and others are left out.
package struct AnswerAction {
  /// An answer on its way to a command. Answers are bounded by their tokens, and so is this.
  private struct Input {
    var question: String
    var lines: [UInt8]
    var isComplete: Bool
  }

  /// Where the sentences of the answer that is being written go.
  private enum Writing {
    /// None has ended yet.
    case notBegun
    case waiting
    case working
    /// The command ended before the answer did.
    case dropped
  }

  private let line: String
  private let seconds: Double
  private var work: ChildWork?
  private var waiting: Input?
  private var splitter = SentenceSplitter()
  private var writing = Writing.notBegun
  /// Answers that a newer one replaced before the command was free.
  package private(set) var leftOut = 0

  /// No command of the kind writes as much.
  private static let outputBytes = 16 << 20
  private static let memoryBytes = 4 << 30

  /// - Parameters:
  ///   - line: for the shell, with the question's name as $1. The answer is no part of it: what a model writes is no command.
  ///   - seconds: the most time for it, from when it has all of the answer.
  package init(_ line: String, seconds: Double) {
    self.line = line
    self.seconds = seconds
  }

  package var isBusy: Bool { work != nil || waiting != nil }

  /// Hands on an answer as one line, as soon as the command is free.
  package mutating func take(_ answer: String, of question: String) {
    hand(answer, of: question)
    endAnswer()
  }

  /// Hands on more of an answer, in sentences. The answer ends with `finish`.
  package mutating func write(_ text: String, of question: String) {
    for sentence in splitter.take(text) { hand(sentence, of: question) }
  }

  /// Ends the answer that is being written.
  ///
  /// - Parameter isWhole: whether its last sentence is.
  package mutating func finish(of question: String, isWhole: Bool = true) {
    if let rest = splitter.rest(), isWhole { hand(rest, of: question) }
    endAnswer()
  }

  /// Goes on with what there is to do. Does not wait.
  ///
  /// - Returns: what went wrong, if anything.
  package mutating func step() -> ChildError? {
    do throws(ChildError) {
      if try work?.step(within: 0) != nil { endWork() }
      if work == nil, let input = waiting {
        waiting = nil
        if !input.isComplete { writing = .working }
        var command = ChildCommand.shell(line, arguments: [input.question], memoryBytes: Self.memoryBytes)
        command.endsWithThread = true
        work = try ChildWork(
          command, input: input.lines, isComplete: input.isComplete, seconds: seconds,
          outputBytes: Self.outputBytes)
      }
      return nil
    } catch {
      endWork()
      return error
    }
  }

  package mutating func stop() {
    work?.stop()
    endWork()
    waiting = nil
  }

  private mutating func endWork() {
    work = nil
    if writing == .working { writing = .dropped }
  }

  private mutating func hand(_ sentence: String, of question: String) {
    let line = Array((UntrustedText.line(sentence) + "\n").utf8)
    switch writing {
    case .notBegun:
      if waiting != nil { leftOut += 1 }
      waiting = Input(question: question, lines: line, isComplete: false)
      writing = .waiting
    case .waiting: waiting?.lines += line
    case .working: work?.give(line)
    case .dropped: break
    }
  }

  private mutating func endAnswer() {
    switch writing {
    case .waiting: waiting?.isComplete = true
    case .working: work?.endInput()
    case .notBegun, .dropped: break
    }
    writing = .notBegun
  }
}

import VL2Base

/// A command that is given each answer on its standard input. One is at work at a time; while a slow one is, the newest
/// answer waits and others are left out.
package struct AnswerAction {
  private let command: ChildCommand
  private let seconds: Double
  private var work: ChildWork?
  private var waiting: [UInt8]?
  /// Answers that a newer one replaced before the command was free.
  package private(set) var leftOut = 0

  /// No command of the kind writes as much.
  private static let outputBytes = 16 << 20
  private static let memoryBytes = 4 << 30

  /// - Parameter line: for the shell. The answer is no part of it: what a model writes is no command.
  package init(_ line: String, seconds: Double) {
    command = .shell(line, memoryBytes: Self.memoryBytes)
    self.seconds = seconds
  }

  package var isBusy: Bool { work != nil || waiting != nil }

  /// Hands on an answer as a line, as soon as the command is free.
  package mutating func take(_ answer: String) {
    if waiting != nil { leftOut += 1 }
    waiting = Array((UntrustedText.line(answer) + "\n").utf8)
  }

  /// Goes on with what there is to do. Does not wait.
  ///
  /// - Returns: what went wrong, if anything.
  package mutating func step() -> ChildError? {
    do throws(ChildError) {
      if try work?.step(within: 0) != nil { work = nil }
      if work == nil, let input = waiting {
        waiting = nil
        work = try ChildWork(command, input: input, seconds: seconds, outputBytes: Self.outputBytes)
      }
      return nil
    } catch {
      work = nil
      return error
    }
  }

  package mutating func stop() {
    work?.stop()
    work = nil
    waiting = nil
  }
}

/// A child that does one thing and ends: a picture is fetched, a sentence is spoken.
package struct ChildWork {
  private let child: Child
  private let seconds: Double
  private let outputBytes: Int
  /// nil while its input is not complete: how long that takes is not its doing.
  private var end: ContinuousClock.Instant?
  private var output: [UInt8] = []
  private var isOutputOver = false

  /// Starts it.
  ///
  /// - Parameters:
  ///   - input: what it can read from standard input.
  ///   - isComplete: whether that is all; else `give` adds to it until `endInput`.
  ///   - seconds: the most time for all, from when its input is complete.
  ///   - outputBytes: the most bytes that it may write to standard output.
  /// - Throws: `ChildError`.
  package init(
    _ command: ChildCommand, input: [UInt8] = [], isComplete: Bool = true, seconds: Double, outputBytes: Int
  ) throws(ChildError) {
    child = try Child(command, input: input, isComplete: isComplete)
    self.seconds = seconds
    self.outputBytes = outputBytes
    end = isComplete ? .now + .seconds(seconds) : nil
  }

  /// Adds to what it can read from standard input. Does not wait for it.
  package func give(_ bytes: [UInt8]) { child.give(bytes) }

  /// Says that no more will be given.
  package mutating func endInput() {
    child.endInput()
    end = .now + .seconds(seconds)
  }

  /// Goes on with it.
  ///
  /// - Parameter wait: the longest time that this takes, in seconds.
  /// - Returns: what it wrote, once it has ended with status 0; nil while it is at work.
  /// - Throws: `ChildError` where it failed, wrote too much or took too long; then it is gone.
  package mutating func step(within wait: Double) throws(ChildError) -> [UInt8]? {
    let wanted = ContinuousClock.now + .seconds(wait)
    let until = end.map { min($0, wanted) } ?? wanted
    repeat {
      let left = max(0, (until - .now) / .seconds(1))
      if isOutputOver {
        // Who closes standard output may still be at work.
        var rest: [UInt8] = []
        _ = child.read(into: &rest, atMost: 1, within: 0)
        if child.hasEnded { return try result() }
        SystemThread.sleep(min(left, 0.01))
      } else {
        let room = outputBytes - output.count
        switch child.read(into: &output, atMost: room + 1, within: left) {
        case .bytes where output.count > outputBytes:
          child.end()
          throw ChildError.tooMuch(program: child.command.name, bytes: outputBytes)
        case .bytes, .nothing: break
        case .over: isOutputOver = true
        }
      }
    } while ContinuousClock.now < until
    if let end, ContinuousClock.now >= end {
      child.end()
      throw ChildError.tooLong(program: child.command.name, seconds: seconds)
    }
    return nil
  }

  private func result() throws(ChildError) -> [UInt8] {
    let end = child.end()
    guard end == .status(0) else {
      throw ChildError.failed(program: child.command.name, end: end, lastLine: child.lastLine)
    }
    return output
  }

  /// Ends it in the middle of its work.
  package func stop() { child.end() }

  /// Does all of it.
  ///
  /// - Throws: `ChildError`.
  package static func output(
    _ command: ChildCommand, input: [UInt8] = [], seconds: Double, outputBytes: Int
  ) throws(ChildError) -> [UInt8] {
    var work = try ChildWork(command, input: input, seconds: seconds, outputBytes: outputBytes)
    while true {
      if let output = try work.step(within: 1) { return output }
    }
  }
}

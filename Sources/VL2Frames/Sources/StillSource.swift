import VL2Base

/// A still that a camera serves over HTTP, fetched by curl again and again.
package final class StillSource: FrameSource {
  package let name: String
  package let isLive = true
  package let isRestartable = true
  package let counts = FrameCounts()
  private let program: String
  private let address: String
  private let interval: Double
  private let seconds: Double
  private var work: ChildWork?
  private var due = ContinuousClock.now

  /// - Parameters:
  ///   - interval: seconds from one fetch to the next.
  ///   - seconds: the most for one.
  ///   - program: curl.
  package init(_ address: String, interval: Double = 1, seconds: Double = 10, program: String = "curl") {
    self.program = program
    self.address = address
    name = CommandSource.shown(address)
    self.interval = interval
    self.seconds = seconds
  }

  package func start() throws {
    stop()
    // Known from the start, and no reason to try again and again.
    guard command.isInstalled else { throw ChildError.missing(program: program) }
    due = .now
  }

  package func stop() {
    work?.stop()
    work = nil
  }

  package func next(within seconds: Double) throws -> FrameArrival {
    let end = ContinuousClock.now + .seconds(seconds)
    if work == nil {
      let wait = max(0, (due - .now) / .seconds(1))
      if wait > seconds {
        SystemThread.sleep(seconds)
        return .nothing
      }
      SystemThread.sleep(wait)
      due = .now + .seconds(interval)
      work = try ChildWork(
        command, input: configuration, seconds: self.seconds + 2, outputBytes: Self.mostBytes)
    }
    do {
      guard let bytes = try work?.step(within: max(0, (end - .now) / .seconds(1))) else { return .nothing }
      work = nil
      return .frame(Frame(.encoded(bytes)))
    } catch {
      work = nil
      throw error
    }
  }

  private static let mostBytes = 64 << 20

  private var command: ChildCommand {
    ChildCommand(
      [
        program, "--silent", "--show-error", "--fail", "--location", "--max-redirs", "3", "--proto",
        "=http,https", "--globoff", "--max-time", NumberText.fixed(seconds, 1), "--config", "-",
      ], memoryBytes: 2 << 30)
  }

  /// The address goes in by standard input: a password in it would be seen in the list of processes.
  private var configuration: [UInt8] {
    var line = "url = \""
    for character in address {
      if character == "\"" || character == "\\" { line += "\\" }
      line.append(character)
    }
    return Array((line + "\"\n").utf8)
  }
}

import VL2Base
import VL2Console
import VL2Serve

/// Has a server answer several lines of a batch at a time, and writes the answers in the order of the lines.
final class BatchSender: Sendable {
  private struct State {
    /// Lines that no thread has taken yet.
    var waiting: [(number: Int, next: BatchInput.Next)] = []
    /// Answers, and what ended a thread, by the numbers of lines.
    var results: [Int: Result<BatchRequest.Reply, any Error>] = [:]
    var isClosed = false
    var threads = 0
  }

  private let server: BatchServer
  private let description: BatchServer.Description
  private let folder: ConfinedFolder?
  /// How many lines may be on their way or wait for an earlier one.
  private let most: Int
  /// The same in bytes of lines; one line may have more.
  private static let mostBytes = 128 << 20
  private let state = Monitor(State())

  /// - Throws: `ThreadError` where there can be no thread at all.
  init(
    _ server: BatchServer, _ description: BatchServer.Description, folder: ConfinedFolder?, concurrency: Int
  ) throws {
    self.server = server
    self.description = description
    self.folder = folder
    most = 4 * concurrency
    for index in 0..<concurrency {
      do {
        try SystemThread.start("vl2-ask") { [self] in work() }
      } catch {
        // Where the system makes fewer threads, there are fewer.
        if index == 0 { throw error }
        break
      }
      state.withLock { $0.threads += 1 }
    }
  }

  /// Answers all lines.
  ///
  /// - Throws: what ended it; what is written until then is whole.
  func answer(_ input: BatchInput, _ output: BatchOutput) throws {
    let status = StatusLine()
    defer { status.clear() }
    var (sent, bytes, isOver) = (0, 0, false)
    // Those that are on their way, the earliest first.
    var lines: [(number: Int, next: BatchInput.Next)] = []
    while true {
      while !isOver, lines.count < most, bytes < Self.mostBytes {
        guard let next = try input.next(description.settings) else {
          isOver = true
          break
        }
        if try output.takeOld(next) { continue }
        lines.append((sent, next))
        state.change { $0.waiting.append((sent, next)) }
        sent += 1
        bytes += next.bytes
      }
      input.show(output.count, on: status)
      guard !lines.isEmpty else { return }
      let (number, next) = lines.removeFirst()
      bytes -= next.bytes
      let reply = try state.wait { $0.results.removeValue(forKey: number) }.get()
      try output.write(reply, to: next)
    }
  }

  /// Ends the threads; those that wait for an answer end with the process.
  func close() {
    state.change { $0.isClosed = true }
    server.stop()
  }

  private func work() {
    while true {
      let line = state.wait { state -> (number: Int, next: BatchInput.Next)?? in
        if state.isClosed { return .some(nil) }
        return state.waiting.isEmpty ? nil : .some(state.waiting.removeFirst())
      }
      guard let (number, next) = line else { return }
      let result = Result {
        try server.reply(
          to: next.request, number: number, name: next.name, earlier: next.earlier, description,
          folder: folder)
      }
      state.change { $0.results[number] = result }
    }
  }
}

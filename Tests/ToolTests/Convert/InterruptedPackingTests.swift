import Foundation
import TestSupport
import Testing

/// `vl2-convert` that is killed, or finds no room: the old file or the new one, never half of one.
@Suite struct InterruptedPackingTests {
  private let tool = Tool("vl2-convert")
  private let golden = Fixtures.checkpoint("nano-mha")

  /// Killed at random moments, the next run takes up what is there; in the end the bytes are those of one run.
  @Test func killedTwentyTimesAndResumed() throws {
    var random = SplitMix64(seed: 5)
    try withTemporaryFolder { folder in
      let clock = ContinuousClock()
      let begin = clock.now
      #expect(try tool.run(["pack", golden, "-o", folder + "/whole.vl2q", "--sections", "zstd"]).status == 0)
      let whole = clock.now - begin
      let model = folder + "/model.vl2q"
      let words = ["pack", golden, "-o", model, "--sections", "zstd", "--threads", "1", "--resume"]
      for _ in 0..<20 {
        let process = try tool.start(words)
        usleep(UInt32.random(in: 0...UInt32(whole / .microseconds(1)), using: &random))
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let left = Set(try FileManager.default.contentsOfDirectory(atPath: folder))
        #expect(
          left.isSubset(of: ["whole.vl2q", "model.vl2q", "model.vl2q.part", "model.vl2q.part.journal"]))
      }
      #expect(try tool.run(words).status == 0)
      let isWhole = try bytes(of: model) == bytes(of: folder + "/whole.vl2q")
      #expect(isWhole)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["model.vl2q", "whole.vl2q"])
    }
  }

  /// Starts a long run that replaces a file, and hands it over once it writes.
  private func whileWriting(_ folder: String, _ body: (Process) throws -> Void) throws {
    try write(Array("old".utf8), to: folder + "/model.vl2q")
    let process = try tool.start(["synthesize", "tiny", "-o", folder + "/model.vl2q", "--threads", "1"])
    defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
    func isWriting() throws -> Bool {
      let parts = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".part") }
      return try parts.contains {
        try FileManager.default.attributesOfItem(atPath: folder + "/" + $0)[.size] as? Int ?? 0 > 1 << 20
      }
    }
    try TestPatience.wait(while: process.isRunning, until: isWriting)
    #expect(process.isRunning)
    try body(process)
    process.waitUntilExit()
    let length = try FileManager.default.attributesOfItem(atPath: folder + "/model.vl2q")[.size] as? Int
    #expect(length == 3)
  }

  @Test func killedWhilePacking() throws {
    try withTemporaryFolder { folder in
      try whileWriting(folder) { kill($0.processIdentifier, SIGKILL) }
    }
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func interruptedWhilePacking(_ signal: Int32) throws {
    try withTemporaryFolder { folder in
      try whileWriting(folder) { process in
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == signal)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])
    }
  }

  /// A limit on the size of files stands for a full disk: writing fails in the middle.
  @Test func noRoomWhilePacking() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      try write(Array("old".utf8), to: model)
      let run = try tool.run(["pack", golden, "-o", model], largestFile: 300 * 1024)
      #expect(run.status == 74 && run.output.isEmpty)
      let lines = run.errors.split(separator: "\n")
      #expect(lines.count == 2)
      #expect(lines.first?.contains("\(model).part holds what is done: give --resume") == true)
      #expect(
        lines.last?.hasPrefix("vl2-convert: \(model): cannot be written: file too large; make room") == true)
      #expect(try bytes(of: model) == Array("old".utf8))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
          "model.vl2q", "model.vl2q.part", "model.vl2q.part.journal",
        ])

      #expect(try tool.run(["pack", golden, "-o", model, "--resume"]).status == 0)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])
      let back = try tool.run(["dequantize", model, "-o", folder + "/back"], largestFile: 300 * 1024)
      expectFailure(back, status: 74, naming: "cannot be written: file too large")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])
    }
  }
}

import Foundation
import TestModels
import TestSupport

/// `vl2 serve` as a program that runs, and what it writes to standard error.
struct RunningServer {
  var process: Process
  var port: UInt16
  var log: String

  /// Starts one at a port that is free, and waits until it says where.
  init(_ words: [String], in folder: String, model: String? = nil, environment: [String: String] = [:]) throws
  {
    log = folder + "/log"
    try write([], to: log)
    process = try Tool("vl2").start(
      ["serve", "--model", try model ?? PackedModels.path("nano-mha", .q4), "--demo", "--port", "0"] + words,
      errors: try FileHandle(forWritingTo: URL(fileURLWithPath: log)), environment: environment)
    port = 0
    while process.isRunning {
      if let line = lines.split(separator: "\n").first(where: { $0.contains("serving ") }),
        let port = line.split(separator: ":").last.flatMap({ UInt16($0) }), lines.hasSuffix("\n")
      {
        self.port = port
        return
      }
      Thread.sleep(forTimeInterval: 0.02)
    }
    throw HTTPConnection.Failure(description: "vl2 serve ended: \(lines)")
  }

  var lines: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

  /// The exit status after a signal.
  func end(_ signal: Int32 = SIGTERM) -> Int32 {
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    return process.terminationReason == .exit ? process.terminationStatus : -1
  }
}

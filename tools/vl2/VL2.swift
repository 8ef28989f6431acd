import ArgumentParser
import Foundation
import VL2Quant
import VL2Run

@main
struct VL2: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vl2",
    abstract: "Asks DeepSeek-VL2 about pictures, offline.",
    version: packageVersion,
    subcommands: [
      Ask.self, Chat.self, Evaluate.self, Bench.self, TraceStages.self, Replay.self, Doctor.self,
    ])

  /// Runs the command; an error becomes one line on standard error and an exit status of sysexits(3).
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as any ReportableError {
      report(error.description)
      Foundation.exit(error.exitStatus.rawValue)
    } catch {
      exit(withError: error)
    }
  }

  static func report(_ message: String) {
    FileHandle.standardError.write(Data("vl2: \(message)\n".utf8))
  }
}

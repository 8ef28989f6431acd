import ArgumentParser
import VL2Console
import VL2Quant

@main
struct VL2: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vl2",
    abstract: "Asks DeepSeek-VL2 about pictures, offline.",
    version: packageVersion,
    subcommands: [
      Ask.self, Chat.self, Evaluate.self, Bench.self, TraceStages.self, Replay.self, Doctor.self,
    ])

  static func main() { Program.run(VL2.self) }
}

import ArgumentParser
import VL2Base
import VL2Console

@main
struct VL2: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vl2",
    abstract: "Asks DeepSeek-VL2 about pictures, offline.",
    discussion: """
      It needs a packed model, which vl2-convert makes of a published checkpoint:

        vl2-convert pack deepseek-vl2-tiny -o tiny.vl2q
        vl2 ask --model tiny.vl2q photo.jpg "What is in the picture?"
      """,
    version: packageVersion,
    subcommands: [
      Ask.self, Chat.self, Serve.self, Evaluate.self, Bench.self, TraceStages.self, Replay.self, Doctor.self,
      Watch.self, Read.self, Describe.self, Batch.self, Calibrate.self,
    ])

  static func main() { Program.run(VL2.self) }
}

import ArgumentParser
import VL2Base
import VL2Console

/// Packs published checkpoints into `.vl2q` files, and inspects such files.
@main
struct VL2Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vl2-convert",
    abstract: "Packs DeepSeek-VL2 checkpoints for vl2.",
    discussion: """
        vl2-convert pack deepseek-vl2-tiny -o tiny.vl2q
        vl2-convert verify tiny.vl2q
        vl2-convert inspect tiny.vl2q
      """,
    version: packageVersion,
    subcommands: [Pack.self, Inspect.self, Diff.self, Verify.self, Dequantize.self, Synthesize.self])

  static func main() { Program.run(VL2Convert.self) }
}

import ArgumentParser
import VL2Quant

/// Packs published checkpoints into `.vl2q` files and looks into these.
struct VL2Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vl2-convert",
    abstract: "Pack DeepSeek-VL2 checkpoints for vl2.",
    version: packageVersion,
    subcommands: [Pack.self, Inspect.self, Diff.self, Verify.self, Dequantize.self, Synthesize.self])
}

import ArgumentParser
import VL2Quant

/// `vl2-convert pack`.
struct Pack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Pack a checkpoint folder in published format into one file.")

  /// Codes that matrices can get.
  enum Weights: String, ExpressibleByArgument, CaseIterable {
    case q4, int8, bf16

    var code: WeightCode {
      switch self {
      case .q4: .q4
      case .int8: .int8
      case .bf16: .bf16
      }
    }
  }

  @Argument(help: "The folder with config.json, tokenizer.json and *.safetensors.")
  var checkpoint: String

  @OptionGroup var options: PackingOptions

  @Option(help: "The code of matrices.")
  var weights: Weights = .q4

  func run() throws {
    let packer = options.packer(weights: weights.code)
    let line = ProgressLine()
    defer { line.end() }
    let leftOut = try packer.pack(try Checkpoint(folder: checkpoint), to: options.output) {
      fraction, section in
      line.update(fraction, section)
    }
    line.end()
    // What the published architecture has beside its forward pass is expected; anything else deserves a word.
    for name in leftOut where !name.hasPrefix("vision.attn_pool.") {
      Console.error("vl2-convert: \(checkpoint): \(name) is used by no forward pass and was left out")
    }
  }
}

import ArgumentParser
import Foundation
import VL2Quant
import VL2Run

struct TraceStages: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Writes the outputs of every stage, for comparison with a reference.",
    discussion: """
      CASES.json is a list of {"name", "images": [path, ...], "turns": [[role, text], ...], "new_tokens"}, with \
      pictures relative to the file. Each case becomes DIR/NAME.safetensors.
      """)

  @OptionGroup var options: ModelOptions

  @Option(help: "The cases.")
  var cases: String

  @Option(name: [.customShort("o"), .customLong("output")], help: "The folder to write to.")
  var output: String

  func run() throws {
    let loaded = try TraceCase.load(cases)
    let model = try options.open()
    let folder = (cases as NSString).deletingLastPathComponent
    for item in loaded {
      let pictures = try item.images.map {
        try Picture(contentsOf: $0.hasPrefix("/") || folder.isEmpty ? $0 : folder + "/" + $0)
      }
      let tensors = try model.trace(item, pictures: pictures)
      try StoredTensor.write(tensors, to: output, name: item.name + ".safetensors")
    }
  }
}

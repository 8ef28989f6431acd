import ArgumentParser
import VL2Console
import VL2Quant

/// `vl2-convert synthesize`.
struct Synthesize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a model of a published size with random weights, to measure speed and memory.",
    discussion: "The model knows nothing: what it answers has no meaning.")

  @Argument(help: "The published size.")
  var size: PublishedSize

  @OptionGroup var options: PackingOptions

  @Option(
    help: ArgumentHelp("A tokenizer.json; without one, every byte is a token.", valueName: "tokenizer.json"),
    completion: .file(extensions: ["json"]))
  var tokenizer: String?

  func run() throws {
    var packer = options.packer(recipe: Recipe(matrices: .q4))
    packer.otherInputs = tokenizer.map { [$0] } ?? []
    let status = StatusLine()
    defer { status.clear() }
    let source = try tokenizer.map { try Checkpoint.tokenizerSource(at: $0) }
    try packer.synthesize(size, tokenizerJSON: source, to: options.output) { status.show($0, $1) }
  }
}

extension PublishedSize: ExpressibleByArgument {}

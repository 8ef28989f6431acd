import ArgumentParser
import VL2Console
import VL2Quant

/// `vl2-convert dequantize`.
struct Dequantize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns a packed file back into a checkpoint folder with float32 weights.",
    discussion: "The weights are exactly what the codes say, so that other programs can judge them.")

  @Argument(help: "The packed file.", completion: .file(extensions: ["vl2q"]))
  var file: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The folder to write; nothing may be there yet.", valueName: "folder"),
    completion: .directory)
  var output: String

  @OptionGroup var threads: ThreadOption

  func run() throws {
    Interruption.watch()
    var dequantizer = Dequantizer(threads: threads.count)
    dequantizer.check = Interruption.check
    let status = StatusLine()
    defer { status.clear() }
    try dequantizer.write(try PackedFile(path: file), to: output) { status.show($0, $1) }
  }
}

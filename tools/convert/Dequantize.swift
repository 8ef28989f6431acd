import ArgumentParser
import Foundation
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

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Threads to use. (default: one per processor)", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads \(threads): give a number from 1 to 1024")
    }
  }

  func run() throws {
    Interruption.watch()
    var dequantizer = Dequantizer(threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
    dequantizer.check = Interruption.check
    let line = ProgressLine()
    defer { line.end() }
    try dequantizer.write(try PackedFile(path: file), to: output) { line.update($0, $1) }
  }
}

import ArgumentParser
import VL2Console
import VL2Quant

/// `vl2-convert verify`.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads every byte of a packed file and holds it against the checksums.")

  @Argument(help: "The packed file.", completion: .file(extensions: ["vl2q"]))
  var file: String

  func run() throws {
    let packed = try PackedFile(path: file)
    let status = StatusLine()
    defer { status.clear() }
    try packed.verify { status.show($0, "verified") }
    status.clear()
    Console.write("\(file): \(packed.manifest.sections.count) sections, all good\n")
  }
}

import ArgumentParser
import Foundation
import VL2Base
import VL2Quant

/// What `pack` and `synthesize` have in common.
struct PackingOptions: ParsableArguments {
  /// How sections are stored.
  enum Sections: String, ExpressibleByArgument, CaseIterable {
    case raw, zstd
  }

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The packed file to write.", valueName: "file"),
    completion: .file(extensions: ["vl2q"]))
  var output: String

  @Option(
    help: ArgumentHelp(
      "raw: everything can be used in place; zstd: what gets smaller by 5 % is compressed.",
      valueName: "how"))
  var sections: Sections = .raw

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Threads to use; the file does not depend on it. (default: one per processor)", valueName: "n")
  )
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads \(threads): give a number from 1 to 1024")
    }
  }

  /// A packer that ends when a signal asks for it.
  func packer(recipe: Recipe) -> ModelPacker {
    Interruption.watch()
    var packer = ModelPacker(
      recipe: recipe, compression: sections == .zstd ? .whereUseful : .never,
      threads: threads ?? ProcessInfo.processInfo.activeProcessorCount, tool: "vl2-convert \(packageVersion)")
    packer.check = Interruption.check
    return packer
  }
}

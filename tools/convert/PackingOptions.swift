import ArgumentParser
import VL2Base
import VL2Console
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

  @OptionGroup var threads: ThreadOption

  /// A packer that stops when a signal asks for it.
  func packer(recipe: Recipe) -> ModelPacker {
    Interruption.watch()
    var packer = ModelPacker(
      recipe: recipe, compression: sections == .zstd ? .whereUseful : .never,
      threads: threads.count, tool: "vl2-convert \(packageVersion)")
    packer.check = Interruption.check
    return packer
  }
}

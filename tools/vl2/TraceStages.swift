import ArgumentParser
import Glibc
import VL2Base
import VL2Measure
import VL2Run

struct TraceStages: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Writes the outputs of every stage, or which experts were picked.",
    usage: """
      vl2 trace [--model FILE] --cases CASES.json [--tiles] -o FOLDER
      vl2 trace [--model FILE] --cases CASES.json --routes FILE
      """,
    discussion: """
      CASES.json is a list of {"name", "images": [path, ...], "turns": [[role, text], ...], "new_tokens"}, with \
      pictures relative to the file. Each case becomes FOLDER/NAME.safetensors, for comparison with a reference. \
      Transparency is dropped, as the published processor does. \
      --routes FILE answers the cases instead and writes which experts each layer wanted; vl2 replay reads it.
      """)

  @Option(help: ArgumentHelp("The cases.", valueName: "cases.json"), completion: .file(extensions: ["json"]))
  var cases: String

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("The folder to write to.", valueName: "folder"), completion: .directory)
  var output: String?

  @Flag(help: "Write only the token ids and the pictures' tiles, for which nothing is computed.")
  var tiles = false

  @Option(
    help: ArgumentHelp("The file to write the picked experts to.", valueName: "file"), completion: .file())
  var routes: String?

  @OptionGroup var options: ModelOptions

  func validate() throws {
    if (output == nil) == (routes == nil) {
      throw ValidationError("Give either -o FOLDER for the stages or --routes FILE for the picked experts.")
    }
    if tiles, output == nil { throw ValidationError("--tiles goes with -o FOLDER.") }
  }

  func run() throws {
    let loaded = try TraceCase.load(cases)
    let inputs = try [cases, options.path()] + loaded.flatMap { $0.picturePaths(beside: cases) }
    let routesFile = try routes.map { try OutputFile($0, .routes, reading: inputs) }
    if let output {
      try StoredTensor.makeFolder(output)
      for item in loaded { _ = try OutputFile("\(output)/\(item.fileName)", .stages, reading: inputs) }
    }
    let model = try options.open(recordsRoutes: routes != nil)
    for item in loaded {
      // As the published processor reads them, which a trace is compared with.
      let pictures = try item.picturePaths(beside: cases).map {
        try Picture(contentsOf: $0, background: .dropped)
      }
      if let output {
        let tensors =
          try tiles
          ? model.traceTiles(item, pictures: pictures) : model.trace(item, pictures: pictures)
        try StoredTensor.write(tensors, to: output, name: item.fileName)
      } else {
        _ = try model.answer(try item.question(pictures: pictures))
      }
    }
    if let routesFile { try model.writeRoutes(to: routesFile) }
  }
}

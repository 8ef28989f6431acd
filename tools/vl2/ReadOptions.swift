import ArgumentParser
import VL2Base
import VL2Console
import VL2Read
import VL2Run

/// What `vl2 read` reads, and how the result is written.
struct ReadOptions: ParsableArguments {
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp(
      "The file to write, page by page; what is there of it so far is in FILE.part. (default: standard output)",
      valueName: "file"), completion: .file())
  var output: String?

  @Option(
    help: ArgumentHelp(
      "What is written: Markdown, plain text, a line of JSON for each page, or the rows of tables as CSV.",
      valueName: "md|text|json|csv"), completion: .list(PageFormat.allCases.map(\.rawValue)))
  var format: PageFormat?

  @Option(
    help: ArgumentHelp(
      "Write for each page JSON that fits the JSON Schema in this file; docs/SCHEMA.md says what it may say.",
      valueName: "file"), completion: .file(extensions: ["json"]))
  var schema: String?

  @Option(
    help: ArgumentHelp(
      "What gets JSON of its own by --schema: each page, or each file, of which all pages are read first.",
      valueName: "page|document"))
  var per = ValueUnit.page

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Pages of a PDF file: 3-7, 3- or 3. (default: all)", valueName: "a-b"))
  var pages: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Turn pages clockwise by 90, 180 or 270 degrees, beyond what files say themselves.",
      valueName: "degrees")
  )
  var rotate = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many columns a page's text has; auto: as it looks.", valueName: "n|auto"),
    completion: .list(["auto"])
  )
  var columns = "auto"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most lines that are read at once. (default: as many as the model sees large enough)",
      valueName: "n"))
  var lines: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "What to ask about each page or part of one, or picture of a video, in place of what is made for the format; with --per document, about the whole text.",
      valueName: "text"))
  var prompt: String?

  @Flag(help: "Copy the text that a PDF file has itself; pages without are read.")
  var textLayer = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Of a video: the time from one picture to the next, 500ms to 1h. (default: 10s)", valueName: "time"))
  var every: String?

  @Flag(help: "Go on where an earlier run with the same files, options and -o ended.")
  var resume = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The longest answer about a page or a part of one, in tokens.", valueName: "n"))
  var maxTokens = 2048

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most tiles that a picture is cut into; fewer are faster and see less. (default: as many as the model's context has room for)",
      valueName: "n"))
  var maxTiles: Int?

  @OptionGroup var programs: ProgramOptions

  @OptionGroup var transparency: BackgroundOption

  @Argument(
    help: ArgumentHelp(
      "Pictures (JPEG, PNG, WebP) and PDF files, or one video.", valueName: "file"), completion: .file())
  var files: [String] = []

  func validate() throws {
    if files.isEmpty { throw ValidationError("No file given: give pictures, PDF files, or one video.") }
    if files.contains("-") {
      throw ValidationError("- is no file: pages are looked up in one, so save standard input first.")
    }
    if files.contains(where: \.isEmpty) { throw ValidationError("A file's name is empty.") }
    if let pages, PageRange(pages) == nil {
      throw ValidationError("--pages \(pages): give pages as 3-7, 3- or 3.")
    }
    if ![0, 90, 180, 270].contains(rotate) {
      throw ValidationError("--rotate \(rotate): give 90, 180 or 270.")
    }
    if columns != "auto", !(1...8).contains(Int(columns) ?? 0) {
      throw ValidationError("--columns \(columns): give a number from 1 to 8, or auto.")
    }
    if let lines, !(1...1000).contains(lines) {
      throw ValidationError("--lines \(lines): give a number from 1.")
    }
    if let prompt, prompt.allSatisfy(\.isWhitespace) { throw ValidationError("--prompt: the text is empty.") }
    if let every, !(0.5...3600).contains(DurationText.seconds(every) ?? 0) {
      throw ValidationError("--every \(every): give a time from 500ms to 1h, as 10s or 2m.")
    }
    if resume, output == nil { throw ValidationError("--resume goes on with a file; name it with -o.") }
    if !(1...65_536).contains(maxTokens) {
      throw ValidationError("--max-tokens \(maxTokens): give a number from 1 to 65536.")
    }
    try TileOptions.check(mostTiles: maxTiles)
    if let format, format != .json, schema != nil {
      throw ValidationError("--schema gives JSON; leave --format \(format.rawValue) out.")
    }
    if per == .document, schema == nil {
      throw ValidationError("--per document makes JSON of a file by a schema; name it with --schema.")
    }
    if textLayer, format == .csv {
      throw ValidationError("--text-layer copies text as it is, which is no CSV.")
    }
    if textLayer, schema != nil, per == .page {
      throw ValidationError(
        "--text-layer copies text as it is, which is no JSON of a --schema; --per document makes such of all of it."
      )
    }
  }

  var request: PageRequest {
    get throws {
      var request = PageRequest(format: format ?? (schema == nil ? .markdown : .json))
      request.schema = try schema.map { try JSONSchema(contentsOf: $0) }
      request.prompt = prompt
      request.quarterTurns = rotate / 90
      request.columns = Int(columns).map { .fixed($0) } ?? .found
      request.mostLines = lines
      request.maxTokens = maxTokens
      request.mostTiles = maxTiles
      return request
    }
  }

  /// Everything but the files that the result depends on, for work that goes on.
  func settings(model: String?, isVideo: Bool) throws -> [String] {
    var settings = [
      "format \(format?.rawValue ?? "")", "pages \(pages ?? "")", "rotate \(rotate)", "columns \(columns)",
      "lines \(lines ?? 0)", "prompt \(prompt ?? "")", "text layer \(textLayer)", "max tokens \(maxTokens)",
      "max tiles \(maxTiles ?? 0)", "background \(transparency.background)",
      "every \(isVideo ? every ?? "" : "")",
      // A model's own digest would take as long as a page.
      "model \(model.flatMap { FileStatus($0)?.bytes } ?? 0)",
    ]
    if per == .document { settings.append("per document") }
    if let schema { settings.append("schema \(try ReadWork.Input(schema).digest)") }
    return settings
  }
}

/// How long programs may take that are run for a file.
struct ProgramOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most seconds that a program may take for a page of a PDF file, or for the next picture of a video.",
      valueName: "seconds"))
  var programSeconds = 120.0

  func validate() throws {
    if !(0.1...86_400).contains(programSeconds) {
      throw ValidationError("--program-seconds \(programSeconds): give seconds over 0.")
    }
  }

  /// Ctrl-C and its like end what is run.
  var running: FilePrograms { FilePrograms(seconds: programSeconds, check: { try Interruption.check() }) }
}

extension PageFormat: ExpressibleByArgument {}

/// Of what a schema's value is made.
enum ValueUnit: String, CaseIterable, ExpressibleByArgument {
  case page
  case document
}

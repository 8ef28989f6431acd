import ArgumentParser
import FoundationEssentials
import Glibc
import VL2Base
import VL2Frames
import VL2Run

/// The question, and the form of the output.
struct AskOptions: ParsableArguments {
  @Flag(help: "Ask about each picture by itself, one after the other; a folder stands for its pictures.")
  var each = false

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Ask where this is, in place of a question; the answer has boxes. Give it once for each thing to find.",
      valueName: "description"))
  var ground: [String] = []

  @Flag(help: "Ask for an answer in which whatever it names has its boxes.")
  var boxes = false

  @Flag(
    help: ArgumentHelp(
      "The question has <image> where each picture stands. Without this, pictures stand before the question and <image> is text like any other."
    ))
  var placed = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Look at this part of each picture only, in pixels of the upright picture; boxes are still the whole picture's.",
      valueName: "left,top,width,height"))
  var region: String?

  @Option(
    help: ArgumentHelp(
      "Save the last picture with the answer's boxes drawn on it, as a PNG file.", valueName: "out.png"),
    completion: .file(extensions: ["png"]))
  var draw: String?

  @OptionGroup var choosing: ChoiceOptions

  @Option(
    help: ArgumentHelp(
      "Answer in JSON that fits the JSON Schema in this file; docs/SCHEMA.md says what it may say.",
      valueName: "file"), completion: .file(extensions: ["json"]))
  var schema: String?

  @Flag(help: "Print one JSON object with the answer, its boxes, token counts, seconds and memory.")
  var json = false

  @Flag(help: "Print seconds, speeds and memory to standard error, after the answer.")
  var stats = false

  @Argument(
    help: ArgumentHelp(
      "Pictures (JPEG, PNG, WebP) or one video, then the question; - is standard input: a picture, or in the last place the question. Behind -- nothing is an option, whatever it begins with.",
      valueName: "picture ... question"), completion: .file())
  var words: [String] = []

  /// The words that name pictures.
  var picturePaths: [String] { ground.isEmpty ? words.dropLast() : words }

  /// Paths of the pictures; under `--each`, those of folders' pictures in place of them.
  ///
  /// - Throws: `Failure` for a folder without pictures, `ValidationError` where there are too many.
  func pictures() throws -> [String] {
    guard each else { return picturePaths }
    let paths = try PictureFolder.expanding(picturePaths)
    if let draw, paths.count > 1 { throw Self.severalDrawn(draw) }
    return paths
  }

  private static func severalDrawn(_ draw: String) -> ValidationError {
    ValidationError("--draw \(draw): with --each give one picture, since there is one file to write.")
  }

  /// Paths of what is read: pictures, the schema, standard input.
  func inputs(_ pictures: [String]) -> [String] {
    (pictures + (words.last == "-" ? ["-"] : []) + (schema.map { [$0] } ?? [])).map(Self.file)
  }

  /// The path by which the system reads standard input like a file, where a word stands for that.
  static func file(_ word: String) -> String { word == "-" ? "/dev/stdin" : word }

  func validate() throws {
    if words.isEmpty {
      throw ValidationError(
        ground.isEmpty
          ? "No question given: write one, after the pictures that it is about."
          : "--ground: give a picture to look at.")
    }
    if ground.isEmpty, let last = words.last, Self.namesPicture(last) {
      throw ValidationError("\(last) is a picture; write the question after it.")
    }
    if ground.contains(where: { $0.allSatisfy(\.isWhitespace) }) {
      throw ValidationError("--ground: the description is empty.")
    }
    if words.filter({ $0 == "-" }).count > 1 {
      throw ValidationError("- stands for standard input, which can be read once only.")
    }
    if !ground.isEmpty, placed {
      throw ValidationError("--ground has no question that --placed could be about.")
    }
    if each, picturePaths.isEmpty { throw ValidationError("--each: give pictures before the question.") }
    for (name, isGiven) in [
      ("--schema", schema != nil), ("--ground", !ground.isEmpty), ("--draw", draw != nil), ("--boxes", boxes),
    ]
    where !choosing.texts.isEmpty && isGiven {
      throw ValidationError("--choices writes no answer, so \(name) does not go with it.")
    }
    for (name, isGiven) in [("--ground", !ground.isEmpty), ("--boxes", boxes)] where schema != nil && isGiven
    {
      throw ValidationError("\(name) asks for boxes, not for JSON of a --schema.")
    }
    if !ground.isEmpty, boxes {
      throw ValidationError("--ground and --boxes ask in two ways; give one of them.")
    }
    if let region {
      if FrameRegion(region) == nil {
        throw ValidationError("--region \(region): give LEFT,TOP,WIDTH,HEIGHT in pixels.")
      }
      if picturePaths.isEmpty { throw ValidationError("--region \(region): there is no picture.") }
    }
    if let draw {
      if picturePaths.isEmpty { throw ValidationError("--draw \(draw): there is no picture to draw on.") }
      if each, picturePaths.count > 1 { throw Self.severalDrawn(draw) }
    }
  }

  /// Whether a word names a picture's file and is not a question.
  private static func namesPicture(_ word: String) -> Bool {
    Picture.fileEndings.contains { word.lowercased().hasSuffix($0) }
      && FileManager.default.fileExists(atPath: word)
  }
}

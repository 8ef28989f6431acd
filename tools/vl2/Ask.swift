import ArgumentParser
import Foundation
import VL2Console
import VL2Quant
import VL2Run

struct Ask: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answers a question, about pictures or without.",
    usage: """
      vl2 ask [--model FILE] [PICTURE...] QUESTION
      vl2 ask [--model FILE] --ground DESCRIPTION PICTURE...
      """,
    discussion: """
      The answer goes to standard output as it is written, everything else to standard error.

        vl2 ask --model tiny.vl2q photo.jpg "What is in the picture?"
        vl2 ask --model tiny.vl2q before.jpg after.jpg "What has changed?"
        vl2 ask --model tiny.vl2q --each *.jpg "Describe it in one sentence."
        vl2 ask --model tiny.vl2q --ground "the dog" --draw found.png photo.jpg
        curl -s http://camera/photo.jpg | vl2 ask --model tiny.vl2q - "Is it open?"
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var answering: AnswerOptions
  @OptionGroup var looking: TileOptions

  @Flag(help: "Ask about each picture by itself, one after the other.")
  var each = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Ask where this is; the answer has boxes. Takes the place of the question.", valueName: "description"))
  var ground: String?

  @Option(
    help: ArgumentHelp(
      "Draw the answer's boxes on the last picture and save it as this PNG file.", valueName: "out.png"))
  var draw: String?

  @Option(
    help: ArgumentHelp(
      "Do not write an answer but pick one of these, separated by commas.", valueName: "a,b,c"))
  var choices: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --choices: where none is as likely as this, 0 to 1, print nothing and exit with status 1.",
      valueName: "p"))
  var minProbability = 0.0

  @Option(
    help: ArgumentHelp(
      "The answer is JSON that fits the JSON Schema in this file (docs/SCHEMA.md says what is supported).",
      valueName: "file"))
  var schema: String?

  @Flag(help: "Print one JSON object with the answer, its boxes, token counts, seconds and memory.")
  var json = false

  @Flag(help: "Print seconds, tokens a second and memory after the answer, to standard error.")
  var stats = false

  @Argument(
    help: ArgumentHelp(
      "Pictures (JPEG, PNG, WebP), then the question; - is standard input: a picture, or in the last place the question.",
      valueName: "picture ... question"))
  var words: [String] = []

  private var picturePaths: [String] { ground == nil ? words.dropLast() : words }

  func validate() throws {
    if words.isEmpty {
      throw ValidationError(
        ground == nil
          ? "No question given: write one, after the pictures that it is about."
          : "--ground: give a picture to look at.")
    }
    if ground == nil, let last = words.last, Self.namesPicture(last) {
      throw ValidationError("\(last) is a picture; write the question after it.")
    }
    if let ground, ground.allSatisfy(\.isWhitespace) {
      throw ValidationError("--ground: the description is empty.")
    }
    if words.filter({ $0 == "-" }).count > 1 {
      throw ValidationError("- stands for standard input, which can be read once only.")
    }
    if each, picturePaths.isEmpty { throw ValidationError("--each: give pictures before the question.") }
    if !(0...1).contains(minProbability) {
      throw ValidationError("--min-probability \(minProbability): give a number from 0 to 1.")
    }
    if choices == nil, minProbability != 0 { throw ValidationError("--min-probability goes with --choices.") }
    for (name, isGiven) in [
      ("--schema", schema != nil), ("--ground", ground != nil), ("--draw", draw != nil),
    ]
    where choices != nil && isGiven {
      throw ValidationError("--choices writes no answer, so \(name) does not go with it.")
    }
    if schema != nil, ground != nil {
      throw ValidationError("--ground asks for boxes, not for JSON of a --schema.")
    }
    if let draw {
      if picturePaths.isEmpty { throw ValidationError("--draw \(draw): there is no picture to draw on.") }
      if each, picturePaths.count > 1 {
        throw ValidationError(
          "--draw \(draw): with --each give one picture, since there is one file to write.")
      }
    }
  }

  func run() throws {
    let begin = ContinuousClock.now
    let question = try questionText()
    let model = try options.open()
    if let notice = model.demonstrationNotice { Console.tell(notice) }
    let opening = ContinuousClock.now - begin
    let session = Session(model)
    var speeds = SpeedMemory(model, exact: options.exact)
    let jsonSchema = try schema.map { try JSONSchema(contentsOf: $0) }
    let choices = choices.map { list in
      list.split(separator: ",", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
    }
    var failure: Int32?
    for paths in each ? picturePaths.map({ [$0] }) : [picturePaths] {
      do {
        let begin = ContinuousClock.now
        // The system reads standard input like a file.
        let pictures = try paths.map { try Picture(contentsOf: $0 == "-" ? "/dev/stdin" : $0) }
        var turns = answering.system.map { [Turn(role: .system, text: $0)] } ?? []
        turns.append(Turn(role: .user, text: question))
        var request = Session.Request(
          turns: turns, pictures: pictures, maxTokens: answering.maxTokens, sampling: answering.sampling)
        request.schema = jsonSchema
        try looking.limit(&request, session, model, &speeds)
        let asked = Asked(
          request: request, picture: each ? paths[0] : nil, opening: opening / .seconds(1),
          decoding: (ContinuousClock.now - begin) / .seconds(1))
        if let choices {
          if try !choose(among: choices, asked, session) { failure = failure ?? 1 }
        } else {
          speeds.learn(from: try answer(asked, session, model))
        }
      } catch let error as any ReportableError where each {
        // One bad picture among many costs its own answer only.
        Console.tell(error.description)
        failure = error.exitStatus.rawValue
      }
    }
    if let failure { throw ExitCode(failure) }
  }

  /// A question that is ready to be asked.
  private struct Asked {
    var request: Session.Request
    /// Under `--each`, the picture's path.
    var picture: String?
    /// Seconds of the model and of the pictures.
    var opening, decoding: Double
  }

  /// Answers; everything that is printed comes from here.
  private func answer(_ asked: Asked, _ session: Session, _ model: Model) throws -> Session.Answer {
    let request = asked.request
    var status = StatusLine()
    defer { status.clear() }
    var name = json ? "" : asked.picture.map { "\($0): " } ?? ""
    let answer = try session.answer(request) { piece in
      status.clear()
      if !json { Console.write(name + Terminal.shown(piece)) }
      name = ""
      return true
    } onProgress: { progress in
      status.show(progress)
    }
    let grounding = Grounding(answer.text)
    let report = AnswerReport(
      answer, grounding: grounding, boxed: request.pictures.last, sampling: request.sampling, model: model,
      open: asked.opening, decode: asked.decoding, picture: asked.picture)
    Console.write(json ? try JSONLine.text(report) : name + "\n")

    if let note = answer.ending.note(maxTokens: answering.maxTokens) { Console.tell(note) }
    if let draw, let picture = request.pictures.last {
      try picture.drawing(grounding.spans).writePNG(to: draw)
      let boxes = grounding.spans.reduce(0) { $0 + $1.boxes.count }
      Console.tell("\(draw): \(boxes) \(boxes == 1 ? "box" : "boxes") drawn")
    }
    if draw != nil || ground != nil, !json {
      for note in grounding.notes { Console.tell("left out of the answer's boxes: \(note)") }
    }
    if stats { Console.show(report.table) }
    return answer
  }

  /// Picks one of the choices. Returns whether one was likely enough.
  private func choose(among choices: [String], _ asked: Asked, _ session: Session) throws -> Bool {
    var status = StatusLine()
    let scores: ChoiceScores
    do {
      defer { status.clear() }
      scores = try session.choose(among: choices, asked.request) { status.show($0) }
    }
    let best = scores.best(atLeast: minProbability)
    let name = asked.picture.map { "\($0): " } ?? ""
    if json {
      let report = ChoiceReport(scores, leastProbability: minProbability, picture: asked.picture)
      Console.write(try JSONLine.text(report))
    } else if let best {
      Console.write(name + best.text + String(format: "\t%.3f\n", best.probability))
    } else {
      let list = scores.choices.map { "\($0.text) " + String(format: "%.3f", $0.probability) }
      Console.tell("\(name)no choice reaches \(minProbability): \(list.joined(separator: ", "))")
    }
    return best != nil
  }

  /// Whether a word is a picture's file rather than a question.
  private static func namesPicture(_ word: String) -> Bool {
    Picture.fileEndings.contains { word.lowercased().hasSuffix($0) }
      && FileManager.default.fileExists(atPath: word)
  }

  private func questionText() throws -> String {
    if let ground { return Grounding.question(for: ground) }
    let question = try words.last == "-" ? readStandardInput() : words[words.count - 1]
    guard !question.allSatisfy(\.isWhitespace) else {
      throw ValidationError("The question is empty; write one.")
    }
    return question
  }

  /// Bytes; no model's context holds so many.
  private static let longestQuestion = 1 << 20

  private func readStandardInput() throws -> String {
    let data: Data?
    do {
      data = try FileHandle.standardInput.read(upToCount: Self.longestQuestion + 1)
    } catch {
      throw Failure(.noInput, "standard input cannot be read; give the question as the last argument")
    }
    guard let text = String(validating: data ?? Data(), as: UTF8.self) else {
      throw Failure(.badData, "the question on standard input is not UTF-8 text; give text")
    }
    guard text.utf8.count <= Self.longestQuestion else {
      throw Failure(.badData, "the question on standard input is over 1 MiB; give a shorter one")
    }
    return text
  }
}

extension Session.Ending {
  /// What a user should know about an answer that does not end by itself; nil where there is nothing to say.
  func note(maxTokens: Int) -> String? {
    switch self {
    case .complete, .stopped: nil
    // Whoever reads a pipe has the JSON, or asked for the limit.
    case .maxTokens:
      isatty(STDERR_FILENO) == 1 ? "stopped after \(maxTokens) tokens; --max-tokens N allows more" : nil
    case .context: "stopped because the model's context is full"
    case .loop: "stopped because the answer went round in circles; --repetition-penalty 1.1 may help"
    }
  }
}

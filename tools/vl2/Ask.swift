import ArgumentParser
import Foundation
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
        curl -s http://camera/photo.jpg | vl2 ask --model tiny.vl2q - "Is the gate open?"
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var answering: AnswerOptions

  @Flag(help: "Ask about each picture by itself, one after the other.")
  var each = false

  @Option(help: "Ask where this is; the answer has boxes. Takes the place of the question.")
  var ground: String?

  @Option(help: "Draw the answer's boxes on the last picture and save it as this PNG file.")
  var draw: String?

  @Flag(help: "Print one JSON object with the answer, its boxes, token counts, seconds and memory.")
  var json = false

  @Flag(help: "Print seconds, tokens a second and memory after the answer, to standard error.")
  var stats = false

  @Argument(
    help:
      "Pictures (JPEG or PNG), then the question; - is standard input: a picture, or in the last place the question."
  )
  var words: [String]

  private var picturePaths: [String] { ground == nil ? words.dropLast() : words }

  func validate() throws {
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
    if let notice = model.demonstrationNotice { VL2.report(notice) }
    let opening = ContinuousClock.now - begin
    let session = Session(model)
    guard each else {
      try ask(question, picturePaths, session, model, opening: opening)
      return
    }
    // One bad picture among many costs its own answer only.
    var failure: ExitStatus?
    for path in picturePaths {
      do {
        try ask(question, [path], session, model, opening: opening)
      } catch let error as any ReportableError {
        VL2.report(error.description)
        failure = error.exitStatus
      }
    }
    if let failure { throw ExitCode(failure.rawValue) }
  }

  private func ask(
    _ question: String, _ paths: [String], _ session: Session, _ model: Model, opening: Duration
  ) throws {
    let begin = ContinuousClock.now
    // The system reads standard input like a file.
    let pictures = try paths.map { try Picture(contentsOf: $0 == "-" ? "/dev/stdin" : $0) }
    let decoding = ContinuousClock.now - begin

    var turns = answering.system.map { [Turn(role: .system, text: $0)] } ?? []
    turns.append(Turn(role: .user, text: question))
    let sampling = answering.sampling
    let request = Session.Request(
      turns: turns, pictures: pictures, maxTokens: answering.maxTokens, sampling: sampling)
    var status = StatusLine()
    defer { status.clear() }
    var name = each && !json ? "\(paths[0]): " : ""
    let answer = try session.answer(request) { piece in
      status.clear()
      if !json { write(name + piece) }
      name = ""
      return true
    } onProgress: { progress in
      status.show(progress)
    }
    let grounding = Grounding(answer.text)
    let report = AnswerReport(
      answer, grounding: grounding, boxed: pictures.last, sampling: sampling, model: model,
      open: opening / .seconds(1), decode: decoding / .seconds(1), picture: each ? paths[0] : nil)
    if json { FileHandle.standardOutput.write(try report.json()) }
    write(name + "\n")

    if let note = answer.ending.note(maxTokens: answering.maxTokens) { VL2.report(note) }
    if let draw, let picture = pictures.last {
      try picture.drawing(grounding.spans).writePNG(to: draw)
      let boxes = grounding.spans.reduce(0) { $0 + $1.boxes.count }
      VL2.report("\(draw): \(boxes) \(boxes == 1 ? "box" : "boxes") drawn")
    }
    if draw != nil || ground != nil, !json {
      for note in grounding.notes { VL2.report("left out of the answer's boxes: \(note)") }
    }
    if stats { FileHandle.standardError.write(Data(report.table.utf8)) }
  }

  /// Whether a word is a picture's file rather than a question.
  private static func namesPicture(_ word: String) -> Bool {
    [".jpg", ".jpeg", ".png"].contains { word.lowercased().hasSuffix($0) }
      && FileManager.default.fileExists(atPath: word)
  }

  private func questionText() throws -> String {
    if let ground { return Grounding.question(for: ground) }
    let question = try words.last == "-" ? readStandardInput() : words[words.count - 1]
    guard !question.allSatisfy(\.isWhitespace) else { throw ValidationError("The question is empty.") }
    return question
  }

  private func readStandardInput() throws -> String {
    let data = FileHandle.standardInput.readDataToEndOfFile()
    guard let text = String(validating: data, as: UTF8.self) else {
      throw ValidationError("The question on standard input is not UTF-8 text.")
    }
    return text
  }

  private func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
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

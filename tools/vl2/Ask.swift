import ArgumentParser
import Foundation
import VL2Base
import VL2Console
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
        vl2 ask --model tiny.vl2q --choices "open,shut" gate.jpg "How is the gate?"

      Exit status: 0 answered; 1 no choice was likely enough; 64 wrong usage; 65 bad picture or model; 66 no such \
      file; 69 not enough memory; 74 reading or writing failed.
      """)

  @OptionGroup(title: "What is asked, and what comes out") var asking: AskOptions
  @OptionGroup(title: "How the answer is written") var answering: AnswerOptions
  @OptionGroup(title: "How closely pictures are looked at") var looking: TileOptions
  @OptionGroup(title: "Model and machine") var options: ModelOptions

  func run() throws {
    // What would fail after the work must fail before it.
    let drawing = try asking.draw.map { try OutputFile($0) }
    let jsonSchema = try asking.schema.map { try JSONSchema(contentsOf: $0) }
    let begin = ContinuousClock.now
    let question = try questionText()
    let model = try options.open()
    if let notice = model.demonstrationNotice { Console.tell(notice) }
    let opening = ContinuousClock.now - begin
    let session = Session(model)
    var speeds = SpeedCache(model, exact: options.exact)
    let choices = asking.choices.map { list in
      list.split(separator: ",", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
    }
    var failure: Int32?
    for paths in asking.each ? asking.picturePaths.map({ [$0] }) : [asking.picturePaths] {
      do {
        let begin = ContinuousClock.now
        // The system can read standard input like a file.
        let pictures = try paths.map { try Picture(contentsOf: $0 == "-" ? "/dev/stdin" : $0) }
        var turns = answering.system.map { [Turn(role: .system, text: $0)] } ?? []
        turns.append(Turn(role: .user, text: question))
        var request = Session.Request(
          turns: turns, pictures: pictures, maxTokens: answering.maxTokens, sampling: answering.sampling)
        request.schema = jsonSchema
        try looking.limit(&request, session, model, &speeds)
        let plan = try session.plan(request)
        for case let note? in [plan.note(), looking.estimate(plan, speeds)] { Console.tell(note) }
        let asked = Asked(
          request: request, picture: asking.each ? paths[0] : nil, opening: opening / .seconds(1),
          decoding: (ContinuousClock.now - begin) / .seconds(1))
        if let choices {
          if try !choose(among: choices, asked, session) { failure = failure ?? 1 }
        } else {
          speeds.learn(from: try answer(asked, session, model, drawing))
        }
      } catch let error as any ReportableError where asking.each {
        // One bad picture among many costs only its own answer.
        Console.tell(error)
        failure = ExitStatus(error.kind).rawValue
      }
    }
    if let failure { throw ExitCode(failure) }
  }

  /// A question that is ready to be asked.
  private struct Asked {
    var request: Session.Request
    /// Under `--each`, the picture's path.
    var picture: String?
    /// Seconds for opening the model and for decoding the pictures.
    var opening, decoding: Double
  }

  /// Answers the question; everything that is printed comes from here.
  private func answer(
    _ asked: Asked, _ session: Session, _ model: Model, _ drawing: OutputFile?
  ) throws -> Session.Answer {
    let request = asked.request
    let status = StatusLine()
    defer { status.clear() }
    var name = asking.json ? "" : asked.picture.map { UntrustedText.line($0) + ": " } ?? ""
    let answer = try session.answer(request) { piece in
      status.clear()
      if !asking.json { Console.write(name + Terminal.shown(piece)) }
      name = ""
      return true
    } onProgress: { progress in
      status.show(progress.text)
    }
    let grounding = Grounding(answer.text)
    let report = AnswerReport(
      answer, grounding: grounding, boxed: request.pictures.last, sampling: request.sampling, model: model,
      open: asked.opening, decode: asked.decoding, picture: asked.picture)
    Console.write(asking.json ? try JSONOutput.text(report) : name + "\n")

    if let note = answer.ending.note(maxTokens: answering.maxTokens) { Console.tell(note) }
    if let drawing, let picture = request.pictures.last {
      try picture.drawing(grounding.spans).writePNG(to: drawing)
      let boxes = grounding.spans.reduce(0) { $0 + $1.boxes.count }
      Console.tell("\(drawing.path): \(boxes) \(boxes == 1 ? "box" : "boxes") drawn")
    }
    if asking.draw != nil || asking.ground != nil, !asking.json {
      for note in grounding.notes { Console.tell("left out of the answer's boxes: \(note)") }
    }
    if asking.stats { Console.show(report.table) }
    return answer
  }

  /// Picks one of the choices. Returns whether one was likely enough.
  private func choose(among choices: [String], _ asked: Asked, _ session: Session) throws -> Bool {
    let status = StatusLine()
    let scores: ChoiceScores
    do {
      defer { status.clear() }
      scores = try session.choose(among: choices, asked.request) { status.show($0.text) }
    }
    let best = scores.best(atLeast: asking.minProbability)
    let name = asked.picture.map { UntrustedText.line($0) + ": " } ?? ""
    if asking.json {
      let report = ChoiceReport(scores, leastProbability: asking.minProbability, picture: asked.picture)
      Console.write(try JSONOutput.text(report))
    } else if let best {
      Console.write("\(name)\(Terminal.shown(best.text))\t\(NumberText.fixed(best.probability, 3))\n")
    } else {
      let list = scores.choices.map { "\($0.text) \(NumberText.fixed($0.probability, 3))" }
      Console.tell("\(name)no choice reaches \(asking.minProbability): \(list.joined(separator: ", "))")
    }
    return best != nil
  }

  private func questionText() throws -> String {
    if let ground = asking.ground { return Grounding.question(for: ground) }
    let question = try asking.words.last == "-" ? readStandardInput() : asking.words[asking.words.count - 1]
    guard !question.allSatisfy(\.isWhitespace) else {
      throw ValidationError("The question is empty; write one.")
    }
    return question
  }

  /// In bytes; no model's context holds that many.
  private static let longestQuestion = 1 << 20

  private func readStandardInput() throws -> String {
    let data: Data?
    do {
      data = try FileHandle.standardInput.read(upToCount: Self.longestQuestion + 1)
    } catch {
      throw Failure(.noInput, "standard input cannot be read", "give the question as the last argument")
    }
    guard let text = String(validating: data ?? Data(), as: UTF8.self) else {
      throw Failure(.badData, "the question on standard input is not UTF-8 text", "give text")
    }
    guard text.utf8.count <= Self.longestQuestion else {
      throw Failure(.badData, "the question on standard input is over 1 MiB", "give a shorter one")
    }
    return text
  }
}

extension Session.Ending {
  /// What a user should know about an answer that does not end by itself; nil if there is nothing to say.
  func note(maxTokens: Int) -> String? {
    switch self {
    case .complete, .stopped: nil
    // A program that reads a pipe has the JSON, or asked for the limit.
    case .maxTokens:
      isatty(STDERR_FILENO) == 1 ? "stopped after \(maxTokens) tokens; --max-tokens N allows more" : nil
    case .context: "stopped because the model's context is full"
    case .loop: "stopped because the answer went round in circles; --repetition-penalty 1.1 may help"
    }
  }
}

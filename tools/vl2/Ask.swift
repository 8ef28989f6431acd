import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Frames
import VL2Read
import VL2Run

struct Ask: AsyncParsableCommand {
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
        vl2 ask --model tiny.vl2q --each holiday "Is there a boat?"
        vl2 ask --model tiny.vl2q --ground "the dog" --draw found.png photo.jpg
        curl -s http://camera/photo.jpg | vl2 ask --model tiny.vl2q - "Is it open?"
        vl2 ask --model tiny.vl2q --choices "open,shut" gate.jpg "How is the gate?"
        vl2 ask --model tiny.vl2q --every 5s clip.mp4 "What happens?"

      Exit status: 0 answered; 1 no choice was likely enough; 64 wrong usage; 65 bad picture or model; 66 no such \
      file; 69 not enough memory; 74 reading or writing failed.
      """)

  @OptionGroup(title: "What is asked, and what comes out") var asking: AskOptions
  @OptionGroup(title: "How the answer is written") var answering: AnswerOptions
  @OptionGroup(title: "How pictures are looked at") var looking: TileOptions
  @OptionGroup(title: "How videos are looked at") var watching: VideoOptions
  @OptionGroup(title: "Model and machine") var options: ModelOptions

  func validate() throws {
    for (name, isGiven) in [
      ("--schema", asking.schema != nil), ("--choices", !asking.choosing.texts.isEmpty),
    ]
    where answering.begin != nil && isGiven {
      throw ValidationError("--begin does not go with \(name), which says by itself what an answer is.")
    }
  }

  func run() async throws {
    // What would fail after the work must fail before it.
    let picturePaths = try asking.pictures()
    let inputs = try [options.path()] + asking.inputs(picturePaths)
    let drawing = try asking.draw.map { try OutputFile($0, .drawing, reading: inputs) }
    let form = try form()
    try watching.check(asking)
    let begin = ContinuousClock.now
    let texts = asking.ground.isEmpty ? [try questionText()] : asking.ground
    // Several questions about one picture look at it once.
    let engine = try await options.engine(
      keeping: texts.count > 1 ? nil : 0, readingAhead: picturePaths.isEmpty ? .forText : .forPictures)
    if let notice = engine.demonstrationNotice { Console.tell(notice) }
    let opening = ContinuousClock.now - begin
    var speeds = SpeedCache(engine, exact: options.exact, reading: inputs)
    var failure: Int32?
    for paths in asking.each ? picturePaths.map({ [$0] }) : [picturePaths] {
      do {
        let begin = ContinuousClock.now
        let blank = Question(answering.system.map { [.system($0)] } ?? [], maxTokens: answering.maxTokens)
        let video = try await watching.pictures(paths, blank, texts[0], engine)
        let pictures =
          try video?.frames.map(\.picture)
          ?? paths.map {
            try Picture(contentsOf: AskOptions.file($0), background: looking.transparency.background)
          }
        let parts = try pictures.enumerated().map { try part(of: $1, path: paths[video == nil ? $0 : 0]) }
        var asked = Asked(
          question: Question([], maxTokens: answering.maxTokens, sampling: answering.sampling),
          lastPicture: pictures.last, lastPart: parts.last?.place, path: asking.each ? paths[0] : nil,
          opening: opening / .seconds(1), decoding: (ContinuousClock.now - begin) / .seconds(1))
        asked.question.form = form
        if !pictures.isEmpty { asked.question.tileLimit = try await looking.limit(engine, &speeds) }
        var answers: [Answer] = []
        for text in texts {
          asked.question.turns = try turns(text, parts.map(\.picture), video)
          let answer = try await answer(asked, engine, speeds)
          answers.append(answer)
          if answer.choices.choices.isEmpty { speeds.learn(from: answer) }
        }
        guard let answer = Answer(joining: answers) else { continue }
        if case .choices = form {
          if try !choose(answer, asked) { failure = failure ?? 1 }
        } else {
          try await report(answer, asked, engine, drawing)
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
    var question: Question
    var lastPicture: Picture?
    /// The part of it that is looked at, on which the answer's boxes lie.
    var lastPart: PixelBox?
    /// Under `--each`, the picture's path.
    var path: String?
    /// Seconds for opening the model and for decoding the pictures.
    var opening, decoding: Double

    /// What answers are called in the output.
    var name: String? { path.map { UntrustedText.line($0) } }
  }

  /// What is looked at of a picture, and where that lies on it.
  private func part(of picture: Picture, path: String) throws -> (picture: Picture, place: PixelBox) {
    guard let text = asking.region, let region = FrameRegion(text) else { return (picture, picture.bounds) }
    guard let place = region.clipped(width: picture.width, height: picture.height),
      let part = picture.part(place)
    else {
      throw Failure(
        .usage,
        "--region \(text) lies outside of \(UntrustedText.line(path)), which is \(picture.width) x \(picture.height) pixels",
        "give a part of the picture")
    }
    return (
      part,
      PixelBox(
        left: place.left, top: place.top, right: place.left + place.width, bottom: place.top + place.height)
    )
  }

  private func form() throws -> AnswerForm {
    if let schema = asking.schema { return .schema(try JSONSchema(contentsOf: schema)) }
    let choices = asking.choosing.texts
    return choices.isEmpty ? .free : .choices(choices)
  }

  private func turns(_ text: String, _ pictures: [Picture], _ video: VideoQuestion?) throws -> [Turn] {
    let mark = asking.boxes ? [Grounding.namingMark] : []
    var question: Turn
    if let video {
      let frames = zip(video.frames, pictures).map { (seconds: $0.seconds, picture: $1) }
      question = Turn(role: .user, parts: VideoQuestion.parts(frames, text.strippedAsPython))
    } else if asking.placed {
      question = try Turn.marked(text, pictures: pictures)
      question.parts.insert(contentsOf: mark, at: 0)
    } else if !asking.ground.isEmpty {
      question = .user(Grounding.question(for: text), pictures: pictures)
    } else {
      question = .user(mark + [.text(text.strippedAsPython)], pictures: pictures)
    }
    return (answering.system.map { [.system($0)] } ?? []) + [question] + answering.begunTurns
  }

  /// Asks, and writes the answer as it comes.
  private func answer(_ asked: Asked, _ engine: Engine, _ speeds: SpeedCache) async throws -> Answer {
    let status = AnswerProgress(engine)
    defer { status.clear() }
    status.show("")
    let isChosen = !asking.choosing.texts.isEmpty
    let isWritten = !asking.json && !isChosen
    // A person gets boxes in words, once they are there; a program what the model writes.
    let isWords = !asking.ground.isEmpty && Terminal.isRead
    var written = NamedAnswer(name: asked.name)
    var start = answering.beginning
    var answer = try await engine.answer(asked.question).answer { event in
      if let text = event.status { status.show(text) }
      switch event {
      case .planned(let plan, _):
        let room = isChosen ? nil : plan.note(ofRoom: answering.maxTokens, engine)
        status.clear()
        for case let note? in [plan.note(), room, looking.estimate(plan, speeds)] { Console.tell(note) }
        status.show("")
      case .text(let piece, _) where isWritten && !isWords:
        status.clear()
        written.write(start + piece)
        start = ""
      default: break
      }
    }
    status.clear()
    if isWritten {
      if isWords, let part = asked.lastPart { start = BoxText.answer(answer, on: part) }
      // What the model goes on from is there although it may have added nothing.
      written.write(start)
      written.end()
    }
    answer.text = answering.beginning + answer.text
    return answer
  }

  /// Writes what there is to say of an answer.
  private func report(_ answer: Answer, _ asked: Asked, _ engine: Engine, _ drawing: OutputFile?) async throws
  {
    let report = AnswerReport(
      answer, boxed: asked.lastPart, sampling: asked.question.sampling, engine: engine,
      weights: try await engine.withModel(\.weightStatistics), open: asked.opening, decode: asked.decoding,
      picture: asked.path)
    if asking.json { Console.write(try JSONOutput.text(report)) }
    if let note = answer.ending.note(maxTokens: answering.maxTokens) { Console.tell(note) }
    let grounding = answer.grounding
    if let drawing, let picture = asked.lastPicture {
      let drawn = picture.drawn(grounding.spans, on: asked.lastPart)
      try drawn.picture.writePNG(to: drawing)
      Console.tell("\(drawing.path): \(BoxText.count(grounding)) drawn")
      if let note = drawn.missing.note { Console.tell(note) }
    }
    if asking.draw != nil || !asking.ground.isEmpty, !asking.json {
      for note in grounding.notes { Console.tell("left out of the answer's boxes: \(note)") }
    }
    if asking.stats { Console.show(report.table) }
  }

  /// Writes one of the choices. Returns whether one was likely enough.
  private func choose(_ answer: Answer, _ asked: Asked) throws -> Bool {
    let name = asked.name.map { $0 + ": " } ?? ""
    let scores = answer.choices
    let best = scores.best(atLeast: asking.choosing.minProbability)
    if asking.json {
      let report = ChoiceReport(answer, leastProbability: asking.choosing.minProbability, picture: asked.path)
      Console.write(try JSONOutput.text(report))
    } else if let best {
      Console.write("\(name)\(Terminal.shown(best.text))\t\(NumberText.fixed(best.probability, 3))\n")
    } else {
      let list = scores.choices.map { "\($0.text) \(NumberText.fixed($0.probability, 3))" }
      Console.tell(
        "\(name)no choice reaches \(asking.choosing.minProbability): \(list.joined(separator: ", "))")
    }
    return best != nil
  }

  private func questionText() throws -> String {
    let question = try asking.words.last == "-" ? readStandardInput() : asking.words[asking.words.count - 1]
    guard !question.allSatisfy(\.isWhitespace) else {
      throw ValidationError("The question is empty; write one.")
    }
    return question
  }

  /// In bytes; no model's context holds that many.
  private static let longestQuestion = 1 << 20

  private func readStandardInput() throws -> String {
    let bytes: [UInt8]
    do {
      bytes = try Descriptor.standardInput.bytes(atMost: Self.longestQuestion + 1)
    } catch {
      throw Failure(.noInput, "standard input cannot be read", "give the question as the last argument")
    }
    guard let text = String(validating: ByteOrderMark.dropped(from: bytes), as: UTF8.self) else {
      throw Failure(.badData, "the question on standard input is not UTF-8 text", "give text")
    }
    guard text.utf8.count <= Self.longestQuestion else {
      throw Failure(.badData, "the question on standard input is over 1 MiB", "give a shorter one")
    }
    return text
  }
}

extension Ending {
  /// What a user should know about an answer that does not end by itself; nil if there is nothing to say.
  func note(maxTokens: Int) -> String? {
    switch self {
    case .complete, .stop, .cancelled, .failed: nil
    // A program that reads a pipe has the JSON, or asked for the limit.
    case .maxTokens:
      isatty(STDERR_FILENO) == 1 ? "stopped after \(maxTokens) tokens; --max-tokens N allows more" : nil
    case .context: "stopped because the model's context is full"
    case .loop: "stopped because the answer went round in circles; --repetition-penalty 1.1 may help"
    case .timeLimit: "stopped because the time was over"
    }
  }
}

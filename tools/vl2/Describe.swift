import ArgumentParser
import VL2Base
import VL2Console
import VL2Run

struct Describe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes alternative text for pictures: what to read or hear in place of them.",
    usage: "vl2 describe [--model FILE] PICTURE... [--length N] [--language NAME] [--sidecar] [--say]",
    discussion: """
      A line for each picture, which is ended at a sentence or a word where it would be longer than --length \
      (docs/DESCRIBING.md). A folder stands for its pictures.

        vl2 describe --model tiny.vl2q photo.jpg
        vl2 describe --model tiny.vl2q --language German --length 300 --say photo.jpg
        vl2 describe --model tiny.vl2q --sidecar holiday

      Exit status: 0 described; 64 wrong usage; 65 bad picture or model; 66 no such file; 69 not enough memory, or no \
      program that speaks; 74 reading or writing failed.
      """)

  @OptionGroup(title: "What is written, and where to") var describing: DescribeOptions
  @OptionGroup(title: "How pictures are looked at") var looking: TileOptions
  @OptionGroup(title: "Model and machine") var options: ModelOptions

  /// A picture that is to be described.
  private struct Job {
    var picture: String
    var sidecar: Sidecar?
  }

  func run() async throws {
    // What would fail after the work must fail before it.
    let pictures = try PictureFolder.expanding(describing.pictures)
    let model = try options.path()
    var failure: Int32?
    let jobs = try jobs(pictures, reading: [model] + pictures.map(AskOptions.file), &failure)
    if !jobs.isEmpty {
      let speaker =
        try describing.say
        ? Speaker(language: (describing.language ?? .english).code) : nil
      Interruption.watch()
      let engine = try await options.engine(keeping: 0)
      if let notice = engine.demonstrationNotice { Console.tell(notice) }
      do {
        try await describe(jobs, isNamed: pictures.count > 1, engine, speaker, &failure)
      } catch {
        // A program that speaks is not left behind.
        try? await speaker?.finish()
        throw error
      }
      try await speaker?.finish()
      try Interruption.check()
    }
    if let failure { throw ExitCode(failure) }
  }

  /// The pictures that are to be described, without those that have a file beside them already.
  private func jobs(_ pictures: [String], reading inputs: [String], _ failure: inout Int32?) throws -> [Job] {
    guard describing.sidecar else { return pictures.map { Job(picture: $0) } }
    return pictures.compactMap { picture in
      do {
        if let sidecar = try Sidecar(beside: picture, replaces: describing.force, reading: inputs) {
          return Job(picture: picture, sidecar: sidecar)
        }
        Console.tell("\(picture).txt is there already, so \(picture) is left out; --force writes it anew")
      } catch {
        failure = Self.tell(error)
      }
      return nil
    }
  }

  private static func tell(_ error: any Error) -> Int32 {
    guard let error = error as? any ReportableError else { return ExitStatus.inputOutput.rawValue }
    Console.tell(error)
    return ExitStatus(error.kind).rawValue
  }

  private func describe(
    _ jobs: [Job], isNamed: Bool, _ engine: Engine, _ speaker: Speaker?, _ failure: inout Int32?
  ) async throws {
    var speeds = SpeedCache(engine, exact: options.exact, reading: jobs.map(\.picture))
    let status = AnswerProgress(engine)
    defer { status.clear() }
    for (index, job) in jobs.enumerated() {
      try Interruption.check()
      let place = jobs.count > 1 ? "picture \(index + 1) of \(jobs.count): " : ""
      let name = UntrustedText.line(job.picture)
      do {
        let picture = try Picture(
          contentsOf: AskOptions.file(job.picture), background: looking.transparency.background)
        var question = describing.question(picture)
        question.tileLimit = try await looking.limit(engine, &speeds)
        if isNamed { speaker?.speak(name + ".") }
        let text = try await text(question, engine, speaker, &speeds) { status.show(place + $0) }
        status.clear()
        guard !text.result.isEmpty else {
          throw Failure(
            .badData,
            "\(job.picture): the model wrote no word that fits into \(describing.length) characters",
            "give a larger --length")
        }
        if describing.json {
          let report = DescriptionReport(job.picture, text, describing.language)
          Console.write(try JSONOutput.text(report))
        } else {
          Console.write((isNamed ? name + ": " : "") + Terminal.shown(text.result) + "\n")
        }
        try job.sidecar?.write(text.result)
      } catch let error as any ReportableError where isNamed {
        // One bad picture among many costs only its own description.
        status.clear()
        failure = Self.tell(error)
      }
    }
  }

  /// Asks, and speaks each sentence as soon as it is there.
  private func text(
    _ question: Question, _ engine: Engine, _ speaker: Speaker?, _ speeds: inout SpeedCache,
    _ show: (String) -> Void
  ) async throws -> FittingText {
    var text = FittingText(limit: describing.length)
    var spoken = 0
    let events = engine.answer(question)
    for await event in events {
      if Interruption.isRequested { events.cancel() }
      if let status = event.status { show(status) }
      switch event {
      case .planned(let plan, _):
        if let note = looking.estimate(plan, speeds) { show(note) }
      case .text(let piece, _):
        text.append(piece)
        if let sentences = text.sentences(after: &spoken) { speaker?.speak(sentences) }
        // What comes after is left out in any case.
        if text.isFull { events.cancel() }
      case .done(let answer):
        if let error = answer.error { throw error }
        if answer.ending != .cancelled { speeds.learn(from: answer) }
      default: break
      }
    }
    try Interruption.check()
    let rest = text.result.dropFirst(spoken).trimmed()
    if !rest.isEmpty { speaker?.speak(rest) }
    return text
  }
}

/// What `vl2 describe` writes.
struct DescribeOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most characters of a description; 125 is what screen readers read in one go.", valueName: "n"))
  var length = 125

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The language to write in: German, or de. The published models write English and Chinese best. (default: English)",
      valueName: "name"), transform: Self.language)
  var language: DescriptionLanguage?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Ask this in place of 'Describe the picture.' with its length and language.", valueName: "text"))
  var prompt: String?

  @Flag(help: "Write each description to a file beside its picture too, photo.jpg.txt, where there is none.")
  var sidecar = false

  @Flag(help: "With --sidecar: write the files that are there already anew.")
  var force = false

  @Flag(help: "Speak each description as it is written, through speech-dispatcher or espeak-ng.")
  var say = false

  @Flag(help: "Print one JSON object for each picture.")
  var json = false

  @Argument(
    help: ArgumentHelp(
      "Pictures (JPEG, PNG, WebP), and folders of them; - is standard input.", valueName: "picture"),
    completion: .file())
  var pictures: [String] = []

  /// In characters; fewer hold no sentence, for more ask.
  private static let lengths = 20...4000

  func validate() throws {
    if pictures.isEmpty { throw ValidationError("No picture given: give some, or a folder.") }
    if !Self.lengths.contains(length) {
      throw ValidationError(
        "--length \(length): give a number from \(Self.lengths.lowerBound) to \(Self.lengths.upperBound).")
    }
    if prompt?.allSatisfy(\.isWhitespace) == true { throw ValidationError("--prompt: the text is empty.") }
    if pictures.filter({ $0 == "-" }).count > 1 {
      throw ValidationError("- stands for standard input, which can be read once only.")
    }
    if sidecar, pictures.contains("-") {
      throw ValidationError("--sidecar: - has no place beside which a file could be.")
    }
    if force, !sidecar { throw ValidationError("--force goes with --sidecar.") }
  }

  private static func language(_ text: String) throws -> DescriptionLanguage {
    guard let language = DescriptionLanguage(text) else {
      throw ValidationError("give a language's name, for example German, or its code, de.")
    }
    return language
  }

  /// A question for a description. How long it may be and in what language stands before it, so that the question is one that
  /// the model knows well.
  func question(_ picture: Picture) -> Question {
    var turns = [Turn.user(prompt ?? "Describe the picture.", pictures: [picture])]
    if prompt == nil {
      let language = language.map { " in \($0.name)," } ?? ""
      turns.insert(.system("Answer\(language) with at most \(length) characters."), at: 0)
    }
    // A character of some scripts takes two tokens.
    return Question(turns, maxTokens: 2 * length + 16)
  }
}

/// What `vl2 describe --json` prints for a picture.
struct DescriptionReport: Encodable {
  var picture: String
  var text: String
  /// Of the text, as people count them.
  var characters: Int
  /// Whether the model wrote more.
  var shortened: Bool
  /// Left out where none was asked for.
  var language: String?

  init(_ picture: String, _ text: FittingText, _ language: DescriptionLanguage?) {
    self.picture = picture
    self.text = text.result
    characters = text.result.count
    shortened = text.isShortened
    self.language = language?.name
  }
}

import FoundationEssentials
import Glibc
import VL2Base
import VL2Console
import VL2Run

/// A conversation on a terminal: what is said, and what the user is told about it.
struct Talk {
  /// A picture and the path that the user gave.
  private struct ShownPicture {
    var picture: Picture
    var path: String
  }

  /// What somebody asked.
  private struct Asked {
    /// The question, or the description of what is to be found.
    var text: String
    var isDescription: Bool
    var pictures: [ShownPicture]
  }

  /// A question with its answer.
  private struct Exchange {
    var asked: Asked
    var answer: Answer
    /// The last picture until then, on which boxes lie.
    var picture: Picture?
  }

  private let engine: Engine
  private let session: Session
  private let answering: AnswerOptions
  private let looking: TileOptions
  /// Whether questions mark the places of their pictures.
  private let placed: Bool
  /// For the next question.
  private var pictures: [ShownPicture] = []
  private var exchanges: [Exchange] = []
  /// The last question, also one that has no answer.
  private var lastAsked: Asked?
  /// Whether it is the last of `exchanges`.
  private var isLastAnswered = false
  private var retries = 0
  private(set) var stats: String?
  private var speeds: SpeedCache
  private var files: TalkFiles

  /// - Parameter inputs: paths of what is read besides pictures.
  init(
    _ engine: Engine, _ answering: AnswerOptions, _ looking: TileOptions, exact: Bool, placed: Bool,
    reading inputs: [String]
  ) {
    self.engine = engine
    self.answering = answering
    self.looking = looking
    self.placed = placed
    session = engine.session(system: answering.system)
    speeds = SpeedCache(engine, exact: exact, reading: inputs)
    files = TalkFiles(reading: inputs)
  }

  mutating func addPicture(_ path: String) throws {
    guard !path.isEmpty else { throw Failure(.usage, "/image: give a file name after it") }
    let picture = try Picture(contentsOf: path, background: looking.transparency.background)
    pictures.append(ShownPicture(picture: picture, path: path))
    files.inputs.append(path)
    say("\(path): \(picture.width) x \(picture.height), with your next question")
  }

  mutating func reset() {
    session.forget()
    pictures = []
    exchanges = []
    (lastAsked, isLastAnswered) = (nil, false)
    stats = nil
    say("forgotten")
  }

  // MARK: - Asking

  mutating func ask(_ text: String) async throws {
    try await askNext(Asked(text: text, isDescription: false, pictures: []), answering.sampling)
  }

  /// Asks where something is.
  mutating func find(_ description: String) async throws {
    guard !description.isEmpty else { throw Failure(.usage, "/ground: say after it what is to be found") }
    guard !pictures.isEmpty || exchanges.last?.picture != nil else {
      throw Failure(.usage, "/ground: there is no picture yet", "add one with /image FILE")
    }
    try await askNext(Asked(text: description, isDescription: true, pictures: []), answering.sampling)
  }

  /// Asks with the pictures that wait for a question.
  private mutating func askNext(_ asked: Asked, _ sampling: Sampling) async throws {
    var asked = asked
    asked.pictures = pictures
    if try await ask(asked, sampling) { pictures = [] }
  }

  /// Asks the last question again, in place of its answer, and with pictures that wait for a question.
  mutating func retry() async throws {
    guard let last = lastAsked else { throw Failure(.usage, "/retry: nothing has been asked yet") }
    var sampling = answering.sampling
    retries += 1
    // The same seed would bring the same answer.
    if let seed = answering.seed { sampling.seed = seed &+ UInt64(retries) }
    if sampling.temperature == 0 {
      (sampling.temperature, sampling.topP) = Self.retrySampling
      say("drawn at random, since the likeliest answer is always the same")
    }
    if isLastAnswered { takeBack() }
    try await askNext(last, sampling)
  }

  /// Temperature and top-p of the published demonstration.
  private static let retrySampling: (Float, Float) = (0.4, 0.9)

  /// Takes the last question back. Its pictures wait for another one.
  mutating func undo() throws {
    guard let last = exchanges.last else { throw Failure(.usage, "/undo: there is no answer to take back") }
    takeBack()
    (lastAsked, isLastAnswered) = (exchanges.last?.asked, !exchanges.isEmpty)
    let paths = last.asked.pictures.map(\.path)
    say(
      "forgotten: \(last.asked.text)"
        + (paths.isEmpty ? "" : "; with your next question: \(paths.joined(separator: ", "))"))
  }

  private mutating func takeBack() {
    session.forgetLast()
    pictures.insert(contentsOf: exchanges.removeLast().asked.pictures, at: 0)
  }

  /// Returns whether the question is part of the talk.
  private mutating func ask(_ asked: Asked, _ sampling: Sampling) async throws -> Bool {
    let shown = asked.pictures.map(\.picture)
    let turn =
      asked.isDescription
      ? Turn.user(Grounding.question(for: asked.text), pictures: shown)
      : placed ? try Turn.marked(asked.text, pictures: shown) : .user(asked.text, pictures: shown)
    let begun = asked.isDescription ? [] : answering.begunTurns
    var question = Question([turn] + begun, maxTokens: answering.maxTokens, sampling: sampling)
    lastAsked = asked
    isLastAnswered = false
    if !shown.isEmpty { question.tileLimit = try await looking.limit(engine, &speeds) }
    let picture = shown.last ?? exchanges.last?.picture
    var answer = try await Interruption.noted {
      try await write(
        session.answer(question), shown: shown.count, begun: begun.isEmpty ? "" : answering.beginning,
        boxesOn: asked.isDescription ? picture : nil)
    }
    guard answer.ending != .cancelled || answer.counts.writtenTokens > 0 else {
      say("[stopped before the answer began; the question is not part of the talk]")
      return false
    }
    Console.write((answer.ending == .cancelled ? Terminal.styled(" [stopped]", .faint) : "") + "\n")
    if let note = answer.ending.note(maxTokens: answering.maxTokens) { say(note) }
    speeds.learn(from: answer)
    if !begun.isEmpty { answer.text = answering.beginning + answer.text }
    exchanges.append(Exchange(asked: asked, answer: answer, picture: picture))
    isLastAnswered = true
    stats =
      AnswerReport(
        answer, boxed: nil, sampling: question.sampling, engine: engine,
        weights: try await engine.withModel(\.weightStatistics), open: 0, decode: 0, picture: nil
      ).table
    return true
  }

  /// Writes an answer as it comes; Ctrl-C ends it.
  ///
  /// - Parameters:
  ///   - shown: how many pictures come with the question.
  ///   - begun: how the answer begins.
  ///   - picture: what boxes lie on, where the answer is to be boxes: a person gets these in words, at the end.
  private func write(
    _ events: AnswerEvents, shown: Int, begun: String, boxesOn picture: Picture?
  ) async throws -> Answer {
    let status = AnswerProgress(engine)
    defer { status.clear() }
    var start = Terminal.shown(begun)
    let picture = Terminal.isRead ? picture : nil
    let answer = try await events.answer { event in
      if Interruption.isRequested { events.cancel() }
      if let text = event.status { status.show(text) }
      switch event {
      case .planned(let plan, let forgotten): tell(plan, shown: shown, forgotten: forgotten)
      case .text(let piece, _) where picture == nil:
        status.clear()
        Console.write(start + Terminal.shown(piece))
        start = ""
      default: break
      }
    }
    status.clear()
    if let picture { Console.write(Terminal.shown(BoxText.answer(answer, on: picture.bounds))) }
    return answer
  }

  /// Tells the user how the question will be answered.
  private func tell(_ plan: TilePlan, shown: Int, forgotten: Int) {
    if forgotten > 0 {
      let what = forgotten == 1 ? "the oldest question goes" : "the \(forgotten) oldest questions go"
      say("the model's context is full: \(what), with answer and pictures")
    }
    if let note = plan.note(ofRoom: answering.maxTokens, engine) { say(note) }
    guard shown > 0 else { return }
    for case let note? in [
      plan.note(from: plan.tiles.count - shown), looking.estimate(plan, speeds),
    ] { say(note) }
  }

  // MARK: - Files

  /// Writes the conversation.
  mutating func save(to path: String) throws {
    guard !path.isEmpty else { throw Failure(.usage, "/save: give a file name after it") }
    guard !exchanges.isEmpty else {
      throw Failure(.noInput, "\(path): nothing has been said yet that could be saved")
    }
    let text = exchanges.map { exchange in
      exchange.asked.pictures.map { "[\($0.path)]\n" }.joined()
        + "> \(exchange.asked.isDescription ? "/ground " : "")\(exchange.asked.text)\n\(exchange.answer.text)\n\n"
    }.joined()
    say(try files.write(.transcript, to: path) { Data(text.utf8) }, asked: path, "saved")
  }

  /// Draws the last answer's boxes on the picture that they lie on.
  mutating func draw(to path: String) throws {
    guard !path.isEmpty else { throw Failure(.usage, "/draw: give a file name after it") }
    guard let last = exchanges.last, let picture = last.picture else {
      throw Failure(.noInput, "\(path): there is no answer about a picture that could be drawn on")
    }
    let grounding = last.answer.grounding
    let drawn = picture.drawn(grounding.spans)
    let written = try files.write(.drawing, to: path) { Data(try drawn.picture.pngData(name: path)) }
    say(written, asked: path, "\(BoxText.count(grounding)) drawn")
    if let note = drawn.missing.note { say(note) }
    for note in grounding.notes { say("left out of the answer's boxes: \(note)") }
  }

  private func say(_ path: String, asked: String, _ what: String) {
    say("\(path): \(what)" + (path == asked ? "" : ", since \(asked) is there already"))
  }

  private func say(_ text: String) {
    Console.write(Terminal.styled(UntrustedText.line(text), .faint) + "\n")
  }
}

import FoundationEssentials
import Glibc
import VL2Base
import VL2Console
import VL2Run

/// A conversation on a terminal: what is said, and what the user is told about it.
struct Talk {
  private let engine: Engine
  private let session: Session
  private let answering: AnswerOptions
  private let looking: TileOptions
  /// Whether questions mark the places of their pictures.
  private let placed: Bool
  /// For the next question.
  private var pictures: [Picture] = []
  private var transcript = ""
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
    let picture = try Picture(contentsOf: path)
    pictures.append(picture)
    files.inputs.append(path)
    transcript += "[\(path)]\n"
    say("\(path): \(picture.width) x \(picture.height), with your next question")
  }

  mutating func reset() {
    session.forget()
    pictures = []
    transcript = ""
    stats = nil
    say("forgotten")
  }

  mutating func ask(_ text: String) async throws {
    let turn = placed ? try Turn.marked(text, pictures: pictures) : .user(text, pictures: pictures)
    var question = Question([turn], maxTokens: answering.maxTokens, sampling: answering.sampling)
    if !pictures.isEmpty { question.tileLimit = try await looking.limit(engine, &speeds) }
    let answer = try await Interruption.noted { try await write(session.answer(question)) }
    guard answer.ending != .cancelled || answer.counts.writtenTokens > 0 else {
      return say("[stopped before the answer began; the question is not part of the talk]")
    }
    Console.write((answer.ending == .cancelled ? Terminal.styled(" [stopped]", .faint) : "") + "\n")
    if let note = answer.ending.note(maxTokens: answering.maxTokens) { say(note) }
    speeds.learn(from: answer)
    pictures = []
    transcript += "> \(text)\n\(answer.text)\n\n"
    stats =
      AnswerReport(
        answer, boxed: nil, sampling: question.sampling, engine: engine,
        weights: try await engine.withModel(\.weightStatistics), open: 0, decode: 0, picture: nil
      ).table
  }

  /// Writes an answer as it comes; Ctrl-C ends it.
  private func write(_ events: AnswerEvents) async throws -> Answer {
    let status = StatusLine()
    defer { status.clear() }
    return try await events.answer { event in
      if Interruption.isRequested { events.cancel() }
      if let text = event.status { status.show(text) }
      switch event {
      case .planned(let plan, let forgotten): tell(plan, forgotten: forgotten)
      case .text(let piece, _):
        status.clear()
        Console.write(Terminal.shown(piece))
      default: break
      }
    }
  }

  /// Tells the user how the question will be answered.
  private func tell(_ plan: TilePlan, forgotten: Int) {
    if forgotten > 0 {
      let what = forgotten == 1 ? "the oldest question goes" : "the \(forgotten) oldest questions go"
      say("the model's context is full: \(what), with answer and pictures")
    }
    guard !pictures.isEmpty else { return }
    for case let note? in [
      plan.note(from: plan.tiles.count - pictures.count), looking.estimate(plan, speeds),
    ] { say(note) }
  }

  mutating func save(to path: String) throws {
    guard !path.isEmpty else { throw Failure(.usage, "/save: give a file name after it") }
    guard !transcript.isEmpty else {
      throw Failure(.noInput, "\(path): nothing has been said yet that could be saved")
    }
    let text = transcript
    say(try files.write(.transcript, to: path) { Data(text.utf8) }, asked: path, "saved")
  }

  private func say(_ path: String, asked: String, _ what: String) {
    say("\(path): \(what)" + (path == asked ? "" : ", since \(asked) is there already"))
  }

  private func say(_ text: String) {
    Console.write(Terminal.styled(UntrustedText.line(text), .faint) + "\n")
  }
}

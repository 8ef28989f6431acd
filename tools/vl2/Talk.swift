import Foundation
import VL2Base
import VL2Console
import VL2Run

/// A conversation on a terminal: what is said, and what the user is told about it.
struct Talk {
  private let model: Model
  private var conversation: Conversation
  /// For the next question.
  private var pictures: [Picture] = []
  private var transcript = ""
  private(set) var stats: String?
  private let session: Session
  private let looking: TileOptions
  private var speeds: SpeedCache

  init(_ model: Model, _ answering: AnswerOptions, _ looking: TileOptions, exact: Bool) {
    self.model = model
    self.looking = looking
    session = Session(model, caches: true)
    speeds = SpeedCache(model, exact: exact)
    conversation = Conversation(
      session, system: answering.system, maxTokens: answering.maxTokens, sampling: answering.sampling)
  }

  mutating func addPicture(_ path: String) throws {
    guard !path.isEmpty else { throw Failure(.usage, "/image: give a file name after it") }
    let picture = try Picture(contentsOf: path)
    pictures.append(picture)
    transcript += "[\(path)]\n"
    say("\(path): \(picture.width) x \(picture.height), with your next question")
  }

  mutating func reset() {
    conversation.reset()
    pictures = []
    transcript = ""
    stats = nil
    say("forgotten")
  }

  mutating func ask(_ question: String) throws {
    let estimate = try limitTiles(question)
    let next = try conversation.next(question, pictures: pictures)
    if next.forgotten > 0 {
      let what =
        next.forgotten == 1 ? "the oldest question goes" : "the \(next.forgotten) oldest questions go"
      say("the model's context is full: \(what), with answer and pictures")
    }
    if let note = next.plan.note(from: next.plan.tiles.count - pictures.count) { say(note) }
    if let estimate { say(estimate) }

    let status = StatusLine()
    do {
      let answer = try Interruption.noted {
        try conversation.ask(next) { piece in
          status.clear()
          Console.write(Terminal.shown(piece))
          return !Interruption.isRequested
        } onProgress: { progress in
          try Interruption.check()
          status.show(progress.text)
        }
      }
      status.clear()
      Console.write((answer.ending == .stopped ? Terminal.styled(" [stopped]", .faint) : "") + "\n")
      if let note = answer.ending.note(maxTokens: conversation.maxTokens) { say(note) }
      speeds.learn(from: answer)
      pictures = []
      transcript += "> \(question)\n\(answer.text)\n\n"
      stats =
        AnswerReport(
          answer, grounding: Grounding(answer.text), boxed: nil, sampling: conversation.sampling,
          model: model, open: 0, decode: 0, picture: nil
        ).table
    } catch is Interruption {
      status.clear()
      say("[stopped before the answer began; the question is not part of the talk]")
    } catch {
      status.clear()
      throw error
    }
  }

  /// Decides how closely the next question's pictures are looked at. What was read before costs nothing, so
  /// the time is that of the question alone. Returns what to tell the user about it.
  private mutating func limitTiles(_ question: String) throws -> String? {
    guard !pictures.isEmpty else { return nil }
    var alone = Session.Request(
      turns: [Turn(role: .user, text: question)], pictures: pictures, maxTokens: conversation.maxTokens)
    try looking.limit(&alone, session, model, &speeds)
    conversation.tileLimit = alone.tileLimit
    return looking.estimate(try session.plan(alone), speeds)
  }

  func save(to path: String) throws {
    guard !path.isEmpty else { throw Failure(.usage, "/save: give a file name after it") }
    guard !transcript.isEmpty else {
      throw Failure(.noInput, "\(path): nothing has been said yet that could be saved")
    }
    try OutputFile(path).write(Data(transcript.utf8))
    say("\(path): saved")
  }

  private func say(_ text: String) {
    Console.write(Terminal.styled(UntrustedText.line(text), .faint) + "\n")
  }
}

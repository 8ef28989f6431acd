import VL2Base
import VL2Frames
import VL2Run

/// Why a frame is asked about.
enum AskingReason: String {
  /// It is the first one that stands still.
  case start
  case change
  case timer
  /// Somebody asked for it.
  case asked
  /// An answer has to hold for some frames before it is told.
  case hold
}

/// The questions about one frame, asked one after the other.
final class Asking {
  let frame: Frame
  let pattern: LocalPattern
  let picture: Picture
  let reason: AskingReason
  /// Which question is at work.
  private(set) var index = 0
  private let questions: [WatchQuestion]
  private let engine: Engine
  private let tiles: TileLimit
  private let reuse: TileReuse
  private var events: AnswerEvents?
  private let progress = Monitor(Progress())
  private let works: (@Sendable () -> Void)?

  /// What has come of the answer that is being written and was not taken yet.
  private struct Progress {
    var text = ""
    var answer: Answer?
  }

  /// - Parameter works: called on any thread when something was done for a question.
  init(
    _ frame: Frame, _ picture: Picture, _ pattern: LocalPattern, _ reason: AskingReason,
    _ questions: [WatchQuestion], _ engine: Engine, _ tiles: TileLimit, _ reuse: TileReuse,
    works: (@Sendable () -> Void)? = nil
  ) {
    self.frame = frame
    self.picture = picture
    self.pattern = pattern
    self.reason = reason
    self.questions = questions
    self.engine = engine
    self.tiles = tiles
    self.works = works
    self.reuse = reuse
    ask()
  }

  deinit { cancel() }

  private func ask() {
    let asked = questions[index]
    var question = Question(asked.text, pictures: [picture], maxTokens: asked.maxTokens)
    if asked.finds { question.turns = [.user(Grounding.question(for: asked.text), pictures: [picture])] }
    question.form = asked.form
    question.tileLimit = tiles
    question.reuse = reuse
    question.caller = .camera
    let events = engine.answer(question)
    let (progress, works) = (progress, works)
    let receive = { @Sendable (event: AnswerEvent) in
      works?()
      switch event {
      case .text(let text, _): progress.change { $0.text += text }
      case .done(let answer): progress.change { $0.answer = answer }
      default: break
      }
    }
    events.hand(to: receive)
    self.events = events
  }

  /// What has come since the last call: more of the text of a question's answer, and once it is there, the answer.
  func next() -> (question: WatchQuestion, text: String, answer: Answer?)? {
    let come = progress.withLock { progress in
      let come = progress
      progress = Progress()
      return come
    }
    guard come.answer != nil || !come.text.isEmpty else { return nil }
    defer {
      if come.answer != nil {
        index += 1
        if isOver { events = nil } else { ask() }
      }
    }
    return (questions[index], come.text, come.answer)
  }

  /// Whether all questions are answered.
  var isOver: Bool { index >= questions.count }

  func cancel() { events?.cancel() }
}

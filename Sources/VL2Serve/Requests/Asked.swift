import VL2Run

/// A question as a dialect understood it.
struct Asked: Sendable {
  var question: Question
  /// The picture that boxes refer to: the last one.
  var boxed: Picture?
  var isStreamed: Bool

  /// - Parameters:
  ///   - turns: a conversation. Where it ends with an assistant's turn, the answer goes on from there.
  ///   - request: for the fields that all dialects have of this server.
  ///   - form: a text under a schema begins anew, whatever the assistant's last turn says.
  init(
    _ turns: [Turn], request: RequestFields, form: AnswerForm, maxTokens: Int, sampling: Sampling,
    isStreamed: Bool
  ) throws {
    var turns = turns
    let isFree = if case .free = form { true } else { false }
    if !isFree, turns.last?.role == .assistant { turns.removeLast() }
    let (boxes, ground) = (try request.flag("boxes") ?? false, try request.flag("ground") ?? false)
    if boxes, ground { throw RequestError.field("boxes", "does not go with ground; leave one of them out") }
    if boxes || ground, let last = turns.lastIndex(where: { $0.role == .user }) {
      turns[last] = Self.asksForBoxes(turns[last], ground: ground)
    }
    question = Question(turns, maxTokens: maxTokens, sampling: sampling)
    question.form = form
    if try request.flag("logprobs") ?? false {
      question.likeliestTokens = try request.integer("top_logprobs", in: 0...20) ?? 0
    }
    boxed = turns.flatMap(\.pictures).last
    self.isStreamed = isStreamed
  }

  /// The turn with the marks that have the model answer with boxes: for what its text describes, or for whatever it names.
  private static func asksForBoxes(_ turn: Turn, ground: Bool) -> Turn {
    let isText = { (part: Turn.Part) in if case .text = part { true } else { false } }
    let texts = turn.parts.drop { !isText($0) || $0.isLineFeed }
    let head = turn.parts.dropLast(texts.count)
    let text = Turn(role: .user, parts: Array(texts)).text
    let asked = ground ? Grounding.question(for: text.trimmingSpace) : [Grounding.namingMark, .text(text)]
    return Turn(role: turn.role, parts: head + asked)
  }
}

extension Turn.Part {
  fileprivate var isLineFeed: Bool { if case .text("\n") = self { true } else { false } }
}

extension Sampling {
  /// - Parameter seed: nil for another one each time.
  init(temperature: Double?, topP: Double?, repetitionPenalty: Double?, seed: Int?) {
    self.init(
      temperature: Float(temperature ?? 0), topP: Float(max(topP ?? 1, 1e-6)),
      repetitionPenalty: Float(max(1, repetitionPenalty ?? 1)),
      seed: seed.map { UInt64(bitPattern: Int64($0)) } ?? .random(in: 0..<1 << 32))
  }
}

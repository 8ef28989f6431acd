import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// Text that a schema leaves no choice about is read at once.
@Suite struct OnlyWayTests {
  private static let names = (0..<6).map { "name number \($0) of six, which is long" }

  private func question(_ maxTokens: Int = 300) throws -> Question {
    let members = Self.names.map { "\"\($0)\":{\"type\":\"boolean\"}" }.joined(separator: ",")
    let required = Self.names.map { "\"\($0)\"" }.joined(separator: ",")
    var question = Question("go", maxTokens: maxTokens)
    question.form = .schema(
      try JSONSchema(text: #"{"type":"object","properties":{\#(members)},"required":[\#(required)]}"#))
    question.sampling = Sampling(temperature: 1, repetitionPenalty: 1.1, seed: 5)
    return question
  }

  @Test(arguments: ["nano-mha", "nano-mla"]) func fewPasses(checkpoint: String) throws {
    var answers: [Answer] = []
    for threads in [1, 3] {
      let model = try PackedModels.open(checkpoint, .q4, threads: threads)
      var hasBegun = false
      answers.append(
        try model.answer(try question()) { event in
          switch event {
          case .text: hasBegun = true
          case .reading: #expect(!hasBegun)
          default: break
          }
        })
      // The tokens are those that the tokeniser makes of such a text.
      let begin = model.tokenizer.encode("{\"\(Self.names[0])\":", trusted: false)
      #expect(Array(answers[0].tokens.prefix(begin.count)) == begin && begin.count > 10)
    }
    #expect(answers[0].tokens == answers[1].tokens && answers[0].ending == .complete)
    let passes = answers[0].counts.writingPasses
    #expect(passes < answers[0].tokens.count / 3, "\(passes) of \(answers[0].tokens.count)")
    // Each name, at least.
    #expect(passes >= Self.names.count)
  }

  /// Where each token's probability is wanted, each is picked.
  @Test func probabilities() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var question = try question()
    question.likeliestTokens = 1
    let answer = try model.answer(question)
    #expect(answer.probabilities.count == answer.tokens.count && answer.ending == .complete)
    #expect(answer.counts.writingPasses == answer.tokens.count - 1)
  }

  /// Several tokens at once give the bits that they give one by one.
  @Test(arguments: ["nano-mha", "nano-mla"]) func sameLogits(checkpoint: String) throws {
    let model = try PackedModels.open(checkpoint, .q4)
    let turns = Question("Count to ten.").turns
    let tokens = model.tokenizer.encode("one, two, three, four, five", trusted: false)
    let room = Reading.Room(maxTokens: 100)
    func bits(_ logits: Rows) -> [UInt32] { (0..<logits.columns).map { logits[0][$0].bitPattern } }
    let single = try Reading(turns, room: room, model: model)
    var expected: [[UInt32]] = []
    for count in 0...tokens.count { expected.append(bits(try single.logits(after: Array(tokens[..<count])))) }
    let several = try Reading(turns, room: room, model: model)
    let prefill = try {
      _ = try several.logits()
      return several.counts.seconds.prefill
    }()
    var isWriting = false
    for count in [1, 4, tokens.count] {
      let logits = try several.logits(after: Array(tokens[..<count])) { progress in
        guard case .writing = progress else {
          Issue.record("\(progress)")
          return
        }
        isWriting = true
      }
      #expect(bits(logits) == expected[count], "\(count) tokens")
    }
    #expect(isWriting && several.counts.writingPasses == 3 && several.counts.seconds.prefill == prefill)
  }

  /// Work that is interrupted at any place goes on with the same answer.
  @Test(arguments: [false, true]) func interrupted(givesUp: Bool) throws {
    struct Interruption: Error {}
    let model = try PackedModels.open("nano-mla", .q4)
    let question = try question()
    let kept = ReadingCache(limit: 1 << 24)
    func answer(interruptedAt place: Int) throws -> (Answer, isInterrupted: Bool) {
      let writer = try AnswerWriter(question, turns: question.turns, model: model, kept: givesUp ? kept : nil)
      defer { writer.release() }
      var left = place
      do {
        try writer.work {
          left -= 1
          if left == 0 { throw Interruption() }
        }
        return (writer.answer(), false)
      } catch is Interruption {
        if givesUp { writer.release() }
        try writer.work()
        return (writer.answer(), true)
      }
    }
    let whole = try answer(interruptedAt: 0).0
    var place = 1
    while true {
      let (answer, isInterrupted) = try answer(interruptedAt: place)
      #expect(answer.tokens == whole.tokens && answer.text == whole.text && answer.ending == whole.ending)
      if !isInterrupted { break }
      place += 23
    }
    #expect(place > 40)
  }

  /// A stop text in the middle of it ends the answer there.
  @Test func stops() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var question = try question()
    question.stops = ["number 1 of"]
    var pieces = ""
    let answer = try model.answer(question) { if case .text(let piece, _) = $0 { pieces += piece } }
    #expect(answer.ending == .stop && answer.text.hasSuffix("name ") && pieces == answer.text)
  }

  /// The tokens that may be written are enough, or the answer says how many would be.
  @Test func budget() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    var needed = 0
    do {
      _ = try model.answer(try question(5))
    } catch SchemaError.budget(_, tokens: 5, let least) {
      needed = least
    }
    #expect(needed > 60)
    for more in 0..<8 {
      let answer = try model.answer(try question(needed + more))
      #expect(answer.tokens.count <= needed + more && answer.text.hasSuffix("}"))
    }
  }
}

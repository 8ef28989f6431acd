import VL2Base

/// One question on its way to its answer. Work on it can be interrupted and goes on later, with the same answer.
package final class AnswerWriter {
  private let question: Question
  private let model: Model
  private let reading: Reading
  private let emit: (AnswerEvent) -> Void
  private let room: Int
  /// How the answer begins, which is not part of its text.
  private let begun: String
  /// Each choice, with the end token.
  private let choiceTokens: [[Int]]
  private var sampler: Sampler
  private var guide: SchemaWriter?
  private var loops = LoopWatch()
  private var isLooping = false
  private var stream = TextStream()
  private var stops: StopStrings
  private var boxes = GroundedSpanReader()
  private var spans: [GroundedSpan] = []
  private var probabilities: ProbabilityList?
  /// Probabilities of tokens whose text is held back: each with the length of the answer's bytes after its token.
  private var heldProbabilities: [(end: Int, token: TokenProbability)] = []
  /// Bytes of text that came from tokens, and that went out.
  private var (streamed, emitted) = (0, 0)
  private var text = ""
  private var allProbabilities: [TokenProbability] = []
  /// The written tokens.
  private var tokens: [Int] = []
  private var choices = ChoiceScores.none
  private var ending: Ending?
  private var decodeSeconds = 0.0

  /// Tokenises the question and plans its pictures' tiles.
  ///
  /// - Parameters:
  ///   - turns: the question's, with those of a conversation before them.
  ///   - secondsLeft: what is left of the question's time, where it has a limit.
  ///   - forgetsOldest: whether the oldest questions may be dropped.
  ///   - written: the tokens of an assistant's text that the model wrote; nil where it is not known.
  ///   - emit: is told what happens; not of the end.
  /// - Throws: `PromptError`, `ChoiceError`, `SchemaError`, `QuestionError`.
  package init(
    _ question: Question, turns: [Turn], model: Model, kept: ReadingCache? = nil,
    owner: ReadingCache.Owner = .init(), secondsLeft: Double? = nil, forgetsOldest: Bool = false,
    written: (String) -> [Int]? = { _ in nil }, emit: @escaping (AnswerEvent) -> Void = { _ in }
  ) throws {
    self.question = question
    self.model = model
    self.emit = emit
    let asked = turns.last?.role == .assistant ? turns.dropLast() : turns[...]
    guard asked.last?.role == .user else { throw QuestionError.noQuestion }
    begun = turns.count > asked.count ? turns[asked.count].text.strippedAsPython : ""
    switch question.form {
    case .free: break
    case .schema, .choices: guard begun.isEmpty else { throw QuestionError.beginningWithForm }
    }
    var tileLimit = question.tileLimit
    if case .halfOfTimeLimit(let speed) = tileLimit {
      guard let seconds = secondsLeft ?? question.timeLimit else {
        throw QuestionError.tilesWithoutTimeLimit
      }
      tileLimit = .seconds(seconds / 2, at: speed)
    }
    // The tokeniser lies in the file too.
    try model.beginRequest()
    var maxTokens = question.maxTokens
    var choiceTokens: [[Int]] = []
    if case .choices(let texts) = question.form {
      try ChoiceScores.check(texts)
      choiceTokens = texts.map { model.tokenizer.encode($0, trusted: false) + [model.endToken] }
      maxTokens = choiceTokens.map(\.count).max() ?? 1
    }
    self.choiceTokens = choiceTokens
    reading = try Reading(
      turns, room: .init(limit: tileLimit, maxTokens: maxTokens, forgetsOldest: forgetsOldest), model: model,
      kept: kept, owner: owner, reuse: question.reuse, written: written)
    room = reading.room(maxTokens)
    sampler = Sampler(question.sampling, prompt: reading.prompt.tokens)
    stops = StopStrings(question.stops)
    probabilities = question.likeliestTokens.map(ProbabilityList.init)
    switch question.form {
    case .free: break
    case .schema(let schema):
      guide = try SchemaWriter(
        schema, vocabulary: model.vocabulary, tokenizer: model.tokenizer, end: model.endToken, budget: room,
        picksEach: question.likeliestTokens != nil)
    case .choices(let texts):
      for (text, tokens) in zip(texts, choiceTokens) where tokens.count > room {
        throw ChoiceError.tooLong(text)
      }
    }
  }

  /// Tokens of the prompt, pictures included.
  var promptTokens: Int { reading.plan.promptTokens }

  /// How closely pictures are looked at, and what was dropped to make room.
  package var planned: AnswerEvent { .planned(reading.plan, forgotten: reading.forgotten) }

  /// Works until the answer is complete.
  ///
  /// - Parameter checkpoint: called between short pieces of work; what it throws interrupts the work, which the next
  ///   call goes on with.
  /// - Throws: what `Reading.logits` throws.
  package func work(checkpoint: () throws -> Void = {}) throws {
    try model.beginRequest()
    try checkpoint()
    func logits() throws -> Rows {
      try reading.logits(after: tokens) { progress in
        switch progress {
        case .looking(let layer, let all): emit(.looking(layer: layer, of: all))
        case .reading(let tokens, let all): emit(.reading(tokens: tokens, of: all))
        case .writing: break
        }
        try checkpoint()
      }
    }
    if case .choices(let texts) = question.form {
      let first = try logits()
      let logarithms = try timed {
        try reading.logProbabilities(of: choiceTokens, first: first, progress: checkpoint)
      }
      choices = ChoiceScores(texts, logarithms: logarithms)
      ending = .complete
      return
    }
    while ending == nil {
      if tokens.count >= room {
        ending = isLooping ? .loop : limit
        break
      }
      // The first logits are the prompt's, and its time is counted apart.
      let first = try tokens.isEmpty || reading.length == 0 ? logits() : nil
      try timed { try write(first, logits: logits) }
      // Nothing interrupts an answer that is complete.
      if ending == nil { try checkpoint() }
    }
    finishText()
  }

  /// Picks and writes the next token.
  private func write(_ first: Rows?, logits: () throws -> Rows) throws {
    var probability: ((Int) -> TokenProbability)?
    var isPicked = false
    func pick(among allowed: TokenSet? = nil) throws -> Int {
      let logits = try first ?? logits()
      probability = probabilities?.next(logits, tokenizer: model.tokenizer)
      isPicked = true
      return sampler.pick(logits.lastRow, allowed: allowed)
    }
    let token = try guide?.next { try pick(among: $0) } ?? pick()
    if model.endsAnswer(token) {
      // Where the way to the end was forced, something else than the model ended the answer.
      ending = guide?.isForced == true ? (isLooping ? .loop : limit) : .complete
      return
    }
    if !isPicked { sampler.note(token) }
    append(token, probability?(token))
  }

  private func append(_ token: Int, _ probability: TokenProbability? = nil) {
    tokens.append(token)
    let piece = stream.append(model.tokenizer.bytes(of: token))
    streamed += piece.utf8.count
    if let probability { heldProbabilities.append((streamed, probability)) }
    let (text, isStopped) = stops.append(piece)
    send(text)
    if isStopped {
      ending = .stop
    } else if loops.append(token), question.stopsLoops {
      isLooping = true
      if guide?.finish() == nil { ending = .loop }
    }
  }

  /// Completes an answer under a schema on the shortest way, where it has begun. Nothing is computed for that.
  private func completeText() {
    guard guide != nil, !tokens.isEmpty, ending == nil else { return }
    guide?.finish()
    while ending == nil, let token = guide?.next(pick: { _ in model.endToken }), token != model.endToken {
      append(token)
    }
  }

  /// Why an answer ends that is full.
  private var limit: Ending { room < question.maxTokens ? .context : .maxTokens }

  /// Sends the text that was held back.
  private func finishText() {
    if ending != .stop {
      let piece = stream.finish()
      streamed += piece.utf8.count
      send(stops.append(piece).text + stops.finish(), isLast: true)
    }
    let last = boxes.finish()
    if !last.isEmpty { emit(.boxes(last)) }
    spans += last
  }

  private func send(_ piece: String, isLast: Bool = false) {
    emitted += piece.utf8.count
    text += piece
    let count = heldProbabilities.prefix { $0.end <= emitted || isLast }.count
    let sent = heldProbabilities.prefix(count).map(\.token)
    heldProbabilities.removeFirst(count)
    allProbabilities += sent
    if !piece.isEmpty || !sent.isEmpty { emit(.text(piece, sent)) }
    let found = boxes.append(piece)
    if !found.isEmpty { emit(.boxes(found)) }
    spans += found
  }

  private func timed<T>(_ body: () throws -> T) rethrows -> T {
    let begin = ContinuousClock.now
    defer { decodeSeconds += (ContinuousClock.now - begin) / .seconds(1) }
    return try body()
  }

  /// The assistant's turn: how it begins, and what was written. Its tokens are nil where they say something else: where
  /// a stop text cut the answer short.
  package var said: Turn {
    var turn = Turn.assistant(begun + text)
    let all = reading.begun + tokens
    if model.tokenizer.decode(all).utf8.elementsEqual(turn.text.utf8) { turn.tokens = all }
    return turn
  }

  /// Gives what was read to others; `work` takes it out again, if it is still there.
  package func release() { reading.release() }

  /// The answer as far as it goes.
  ///
  /// - Parameter ending: why it goes no farther; nil for an answer that is complete. A text under a schema is completed
  ///   where its time is over.
  package func answer(_ ending: Ending? = nil, error: (any ReportableError)? = nil) -> Answer {
    if self.ending == nil {
      if ending == .timeLimit { completeText() }
      finishText()
    }
    reading.meter.sample()
    var counts = Answer.Counts()
    counts.promptTokens = reading.prompt.tokens.count
    counts.cachedTokens = reading.counts.cachedTokens
    counts.writtenTokens = tokens.count
    counts.tiles = reading.counts.tiles
    counts.reusedTiles = reading.counts.reusedTiles
    counts.writingPasses = reading.counts.writingPasses
    counts.seconds = reading.counts.seconds
    counts.seconds.decode = decodeSeconds
    return Answer(
      text: text, ending: self.ending ?? ending ?? .failed, error: error,
      grounding: Grounding(spans: spans, notes: boxes.notes), choices: choices,
      probabilities: allProbabilities, counts: counts, plan: reading.plan, forgotten: reading.forgotten,
      memory: reading.meter.peaks, tokens: tokens)
  }
}

extension Model {
  /// Answers a question at once, on this thread.
  ///
  /// - Parameter kept: what was read before, and where what is read now is kept; nil to keep nothing.
  /// - Throws: what `AnswerWriter` throws.
  package func answer(
    _ question: Question, keeping kept: ReadingCache? = nil, emit: @escaping (AnswerEvent) -> Void = { _ in }
  ) throws -> Answer {
    let writer = try AnswerWriter(question, turns: question.turns, model: self, kept: kept, emit: emit)
    defer { writer.release() }
    try writer.work()
    return writer.answer()
  }
}

import VL2Base
import VL2Quant

/// A prompt that is read once: its texts are tokenised and its pictures' tiles planned when it is made; then it can
/// be embedded, sent through the decoder, gone on from token by token, and gone back to.
///
/// Everybody who asks a model anything does it by a reading: answers, choices, comparisons, traces.
package final class Reading {
  private let model: Model
  private let text: PromptText
  package let plan: TilePlan
  package let prompt: Prompt
  /// How many of the oldest questions were dropped to make room.
  package let forgotten: Int
  /// What is kept for others; nil where nothing is.
  private let kept: ReadingCache?
  private let owner: ReadingCache.Owner
  private let reuse: TileReuse
  private let positions: Int
  private let keys: [ReadingCache.PictureKey]
  private var rows: [EncodedPicture?]
  private var conversation: KeptConversation?
  private var hasBegun = false
  private var hasLooked = false
  private let buffer: AlignedBuffer
  package private(set) var counts = Counts()
  package var meter = MemoryMeter()

  /// What a reading took.
  package struct Counts: Sendable {
    /// Positions that had been read before.
    package var cachedTokens = 0
    /// Tiles that went through the vision tower, and those whose encoding was there.
    package var tiles = 0
    package var reusedTiles = 0
    /// How often tokens after the prompt went through the decoder, one or several at once.
    package var writingPasses = 0
    package var seconds = StageSeconds()
  }

  package enum Progress {
    /// Layers of the tower that are done, of all pictures together.
    case looking(layer: Int, of: Int)
    /// Tokens that went through the decoder.
    case reading(tokens: Int, of: Int)
    /// At work on several tokens after the prompt.
    case writing
  }

  /// What a prompt must fit into.
  package struct Room: Sendable {
    package var limit: TileLimit
    /// The longest answer.
    package var maxTokens: Int
    /// Whether tiles are reduced so that an answer of some length fits too. Without, a prompt that fills the
    /// context is laid out as it is.
    package var keepsFree: Bool
    /// Whether the oldest questions are dropped where there is too little room.
    package var forgetsOldest: Bool

    package init(
      limit: TileLimit = .context, maxTokens: Int, keepsFree: Bool = true, forgetsOldest: Bool = false
    ) {
      self.limit = limit
      self.maxTokens = maxTokens
      self.keepsFree = keepsFree
      self.forgetsOldest = forgetsOldest
    }

    /// The most tokens that a prompt may have. At most a quarter of the context is kept free for the answer.
    fileprivate func promptTokens(context: Int) -> Int {
      keepsFree ? context - min(max(maxTokens, 1), context / 4) + 1 : context
    }
  }

  /// Tokenises a conversation and plans the tiles of its pictures.
  ///
  /// - Parameters:
  ///   - reuse: whether tiles that look as in the picture before keep their encoding, where something is kept.
  ///   - written: the tokens of an assistant's text that the model wrote; nil where it is not known.
  /// - Throws: `PromptError`.
  package init(
    _ turns: [Turn], room: Room, model: Model, kept: ReadingCache? = nil,
    owner: ReadingCache.Owner = .init(), reuse: TileReuse = .off, written: (String) -> [Int]? = { _ in nil }
  ) throws {
    self.model = model
    self.kept = kept?.keeps == true ? kept : nil
    self.owner = owner
    self.reuse = self.kept == nil ? .off : reuse
    let context = model.contextLength
    var text = try PromptText(
      turns, tokenizer: model.tokenizer, beginToken: model.beginToken, endToken: model.endToken,
      written: written)
    let planner = TilePlanner(model.config)
    let most = room.promptTokens(context: context)
    var plan = planner.plan(text, limit: room.limit, room: most)
    var forgotten = 0
    while room.forgetsOldest, plan.promptTokens > most, text.dropOldestQuestion() {
      forgotten += 1
      plan = planner.plan(text, limit: room.limit, room: most)
    }
    prompt = try Prompt(
      text, grids: plan.grids, places: ImageTokens(model.config.processor),
      imageToken: model.tokenizer.imageToken, limit: context)
    (self.text, self.plan, self.forgotten) = (text, plan, forgotten)
    // A conversation that is kept may grow; a camera that shows something else each time has none.
    let count = prompt.tokens.count
    let mayGrow = self.kept != nil && (reuse == .off || owner.session != nil)
    positions = !mayGrow ? count + min(context - count, max(0, room.maxTokens)) : context
    keys = self.kept == nil ? [] : zip(text.pictures, plan.grids).map { .init($0.picture, $1, reuse: reuse) }
    rows = .init(repeating: nil, count: plan.grids.count)
    buffer = AlignedBuffer(ledger: model.ledger)
  }

  /// Reads ids instead of a conversation, with room for `written` more.
  package init(tokens: [Int], written: Int, model: Model) throws {
    self.model = model
    kept = nil
    owner = .init()
    reuse = .off
    text = PromptText(tokens: tokens)
    plan = TilePlanner(model.config).plan(text, limit: .context, room: .max)
    let context = model.contextLength
    prompt = try Prompt(
      text, grids: [], places: ImageTokens(model.config.processor), imageToken: model.tokenizer.imageToken,
      limit: context)
    forgotten = 0
    positions = min(context, tokens.count + written)
    keys = []
    rows = []
    buffer = AlignedBuffer(ledger: model.ledger)
  }

  /// The tokens of the prompt that begin the answer.
  package var begun: [Int] { text.answer }

  /// Positions that went through the decoder.
  package var length: Int { conversation?.length ?? 0 }

  /// Positions that there is room for, of those that the decoder keeps.
  package var capacity: Int { conversation?.capacity ?? 0 }

  /// Tokens that can be written after the prompt. The last one needs no position: nothing is computed from it.
  package func room(_ maxTokens: Int) -> Int {
    min(maxTokens, model.contextLength - prompt.tokens.count + 1)
  }

  // MARK: reading

  /// The logits of the token after the prompt and `written`, [1][vocabulary], valid until the next call.
  ///
  /// Only what was not read before is read. After an error, and after what `progress` throws, whatever is complete
  /// stays, and the next call goes on from there.
  ///
  /// - Parameters:
  ///   - routes: expert ids to take, for each layer with experts, [rows that are read][kept].
  ///   - progress: called often enough to stop soon: several times in each layer of the tower, once in each layer of a
  ///     chunk of the prompt or of several tokens after it; not for a single token.
  /// - Throws: `PromptError.tooLong` where there is no room, `PackedFileError` where weights cannot be read,
  ///   `MemoryBudgetError.request` and `MemoryError` where memory is short, and what `progress` throws.
  package func logits(
    after written: [Int] = [], routes: [Int: [Int32]]? = nil, progress: (Progress) throws -> Void = { _ in }
  ) throws -> Rows {
    let read = conversation?.length ?? 0
    let total = prompt.tokens.count + written.count
    if let conversation, let last = written.last, read == total - 1, read >= prompt.tokens.count {
      let logits = try model.decoder.logits(after: last, cache: conversation.cache, routes: routes)
      conversation.append(last)
      counts.writingPasses += 1
      return logits
    }
    let content = ConversationContent(prompt, pictures: keys, written: written)
    let goesOn = read >= prompt.tokens.count && read < total
    let conversation = try begin(content)
    let logits =
      goesOn
      ? try goOn(conversation, content) { try progress(.writing) }
      : try readPrompt(conversation, content, progress: progress)
    // One position at least is left to compute, so there are logits.
    guard let logits else { throw PromptError.tooLong(tokens: total, limit: conversation.capacity) }
    return logits
  }

  private func readPrompt(
    _ conversation: KeptConversation, _ content: ConversationContent, progress: (Progress) throws -> Void
  ) throws -> Rows? {
    try look(from: conversation.length, progress: progress)
    let total = content.tokens.count
    let cached = conversation.length
    try progress(.reading(tokens: 0, of: total - cached))
    var logits: Rows?
    while conversation.length < total {
      let first = conversation.length
      let x = try embed(first..<first + model.readingStep(total - first), of: content)
      try measure(\.prefill) {
        logits = try send(x, conversation, content) {
          try progress(.reading(tokens: first - cached + $0, of: total - cached))
        }
      }
    }
    meter.sample()
    buffer.release()
    for index in rows.indices { rows[index] = nil }
    model.releaseScratch()
    return logits
  }

  /// The most rows whose memory is worth keeping for the next time.
  private static let fewRows = 64

  /// Reads tokens after the prompt.
  private func goOn(
    _ conversation: KeptConversation, _ content: ConversationContent, progress: () throws -> Void
  ) throws -> Rows? {
    let total = content.tokens.count
    let count = total - conversation.length
    var logits: Rows?
    while conversation.length < total {
      let first = conversation.length
      let x = try embed(first..<first + model.readingStep(total - first), of: content)
      logits = try send(x, conversation, content) { _ in try progress() }
      counts.writingPasses += 1
    }
    if count > Self.fewRows {
      buffer.release()
      model.releaseScratch()
    }
    return logits
  }

  /// Sends the rows of the next positions through the decoder.
  ///
  /// - Returns: the logits after the last position of `content`; nil where others are to come.
  private func send(
    _ x: Rows, _ conversation: KeptConversation, _ content: ConversationContent,
    progress: (Int) throws -> Void
  ) throws -> Rows? {
    let part = conversation.length..<conversation.length + x.count
    try model.decoder.forward(x, cache: conversation.cache, answers: answers(in: part), progress: progress)
    defer { conversation.extend(with: content) }
    return part.upperBound == content.tokens.count
      ? model.decoder.logits(x.slice(x.count - 1..<x.count)) : nil
  }

  /// Reads the whole prompt at once and shows every stage to an observer, if there is one; of the pictures, the first
  /// one's.
  ///
  /// - Parameters:
  ///   - chunk: rows that go through the weights together; no bit depends on it.
  ///   - routes: expert ids to take, for each layer with experts, [tokens][kept].
  /// - Returns: the last layer's rows, [tokens][hidden], valid until the next call.
  package func rows(
    chunk: Int, routes: [Int: [Int32]]? = nil, observer: (any StageObserver)? = nil
  ) throws -> Rows {
    let content = ConversationContent(prompt, pictures: keys, written: [])
    try look(from: 0, observer: observer)
    let conversation = try begin(content)
    let x = try embed(0..<content.tokens.count, of: content)
    observer?.observe("embed", x)
    try model.decoder.forward(
      x, cache: conversation.cache, answers: prompt.answers, chunk: chunk, forcedRoutes: routes,
      observer: observer)
    conversation.extend(with: content)
    return x
  }

  /// The conversation that begins like `content`, with one position less at least: the one at work, else one taken out
  /// of what is kept, or a new one.
  private func begin(_ content: ConversationContent) throws -> KeptConversation {
    if let conversation {
      // The logits after the last position were used up.
      if conversation.length >= content.tokens.count { conversation.truncate(to: content.tokens.count - 1) }
      return conversation
    }
    let new: KeptConversation
    if let kept {
      if owner.isCamera, reuse != .off { kept.leave(for: content) }
      new = try kept.take(content, owner: owner, decoder: model.decoder, positions: positions)
    } else {
      new = KeptConversation(try model.decoder.makeCache(positions: positions), owner: owner)
    }
    conversation = new
    // What is found later was read for this question, before it gave way.
    if !hasBegun { counts.cachedTokens = min(new.length, prompt.tokens.count) }
    hasBegun = true
    return new
  }

  /// Encodes the pictures that are wanted from position `first` on.
  ///
  /// - Parameter observer: told of the first picture alone.
  private func look(
    from first: Int, observer: (any StageObserver)? = nil, progress: (Progress) throws -> Void = { _ in }
  ) throws {
    let pictures = text.pictures
    let wanted = pictures.indices.filter { prompt.pictures[$0].upperBound > first && rows[$0] == nil }
    for index in wanted where index < keys.count { rows[index] = kept?.rows(of: keys[index]) }
    let toEncode = wanted.filter { rows[$0] == nil }
    if !hasLooked {
      for index in pictures.indices where !toEncode.contains(index) {
        counts.reusedTiles += plan.grids[index].encodedTiles
      }
      hasLooked = true
    }
    let layers = toEncode.count * model.towerLayers
    for (done, index) in toEncode.enumerated() {
      func tell(_ layer: Int) throws {
        try progress(.looking(layer: done * model.towerLayers + layer, of: layers))
      }
      try tell(0)
      let tiled = measure(\.tiling) {
        TiledPicture(pictures[index].picture, grid: plan.grids[index], processor: model.config.processor)
      }
      let (encoded, share) = try measure(\.vision) {
        try encode(tiled, observer: index == 0 ? observer : nil, progress: tell)
      }
      rows[index] = encoded
      counts.tiles += share.changed.count
      counts.reusedTiles += share.kept
      if index < keys.count {
        let tiles = reuse == .off ? nil : KeptTiles(tiled, share, encoded, ledger: model.ledger)
        kept?.keep(encoded, of: keys[index], isCamera: owner.isCamera, tiles: tiles)
      }
    }
    if !toEncode.isEmpty { meter.sample() }
    model.releaseScratch()
  }

  /// Encodes a picture: of its tiles those that have to be; all where there is too little memory to hold the others'
  /// meanwhile.
  private func encode(
    _ tiled: TiledPicture, observer: (any StageObserver)?, progress: (Int) throws -> Void
  ) throws -> (EncodedPicture, TileShare) {
    var share = TileShare(tiled, after: reuse == .off ? nil : kept?.tiles(tiled.grid), reuse: reuse)
    if observer == nil, share.kept > 0 {
      do { return (try model.encode(tiled, share, progress: progress), share) } catch is MemoryBudgetError {}
    }
    share = TileShare(tiled)
    return (try model.encode(tiled, observer: observer, progress: progress), share)
  }

  /// The decoder's input rows of positions: token embeddings, with pictures' rows in their places. Valid until the
  /// next call.
  private func embed(_ positions: Range<Int>, of content: ConversationContent) throws -> Rows {
    let hidden = model.config.language.hiddenSize
    let out = Rows(buffer.reserve(positions.count * hidden), count: positions.count, columns: hidden)
    for position in positions {
      try model.decoder.embed(content.tokens[position], into: out[position - positions.lowerBound])
    }
    for (span, picture) in zip(prompt.pictures, rows) {
      guard let picture else { continue }
      for position in span.clamped(to: positions) {
        out[position - positions.lowerBound].update(
          from: picture.rows[position - span.lowerBound], count: hidden)
      }
    }
    return out
  }

  /// Rows of answers among `positions`, counted from the first of them. What comes after the prompt is an answer.
  private func answers(in positions: Range<Int>) -> [Range<Int>] {
    var answers = prompt.answers(in: positions)
    if positions.upperBound > prompt.tokens.count {
      answers.append(max(0, prompt.tokens.count - positions.lowerBound)..<positions.count)
    }
    return answers
  }

  // MARK: going back

  /// Forgets what was written after the prompt, so that the next logits may be those after other tokens.
  package func rewind() {
    if let conversation, conversation.length > prompt.tokens.count {
      conversation.truncate(to: prompt.tokens.count)
    }
  }

  /// The logarithm of the probability of each text after the prompt, which must have been read: of its tokens, which
  /// end with the end token, one after the other.
  ///
  /// - Parameters:
  ///   - first: the logits after the prompt, overwritten.
  ///   - progress: called before each text.
  package func logProbabilities(
    of texts: [[Int]], first: Rows, progress: () throws -> Void
  ) throws -> [Double] {
    var sums = first.logProbabilities(of: texts.map { $0[0] })
    guard let cache = conversation?.cache else { return sums }
    let (start, hidden) = (cache.length, model.config.language.hiddenSize)
    for (index, text) in texts.enumerated() where text.count > 1 {
      try progress()
      let x = Rows(buffer.reserve((text.count - 1) * hidden), count: text.count - 1, columns: hidden)
      for (row, token) in text.dropLast().enumerated() { try model.decoder.embed(token, into: x[row]) }
      try model.decoder.forward(x, cache: cache, answers: [0..<x.count])
      cache.truncate(to: start)
      for row in 0..<x.count {
        sums[index] += model.decoder.logits(x.slice(row..<row + 1)).logProbabilities(of: [text[row + 1]])[0]
      }
    }
    return sums
  }

  /// Gives what was read to `kept`, for others; a later call of `logits` takes it out again, if it is still there.
  package func release() {
    guard let kept, let conversation else { return }
    kept.keep(conversation)
    self.conversation = nil
  }

  private func measure<T>(_ stage: WritableKeyPath<StageSeconds, Double>, _ body: () throws -> T) rethrows
    -> T
  {
    let begin = ContinuousClock.now
    defer { counts.seconds[keyPath: stage] += (ContinuousClock.now - begin) / .seconds(1) }
    return try body()
  }
}

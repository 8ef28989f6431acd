import Foundation

/// Has a model answer questions, with their pictures.
public final class Session {
  let model: Model
  let promptCache: PromptCache?
  private var clock = ContinuousClock()

  /// - Parameter caches: whether to keep what was read and written. The next request, where it begins with the
  ///   same turns and pictures, then costs only its new tokens. Answers are the same either way, bit for bit.
  ///   The cache takes the memory of a full context as the conversation grows, and that of the pictures' rows.
  public init(_ model: Model, caches: Bool = false) {
    self.model = model
    promptCache = caches ? PromptCache() : nil
  }

  /// Answers a request.
  ///
  /// - Parameters:
  ///   - onText: called after every token with the whole characters that are new, which may be none; returns
  ///     false to stop.
  ///   - onProgress: called with what is done before the answer begins; an error that it throws ends the request.
  /// - Throws: `PromptError` where the number of `<image>` places differs from that of the pictures or the
  ///   prompt does not fit into the context, `SchemaError` where the answer cannot be held to the schema,
  ///   `PackedFileError` where weights cannot be read, `MemoryBudgetError.request` and `MemoryError` where
  ///   the request takes more memory than there is.
  public func answer(
    _ request: Request, onText: (String) -> Bool = { _ in true },
    onProgress: (Progress) throws -> Void = { _ in }
  ) throws -> Answer {
    do {
      return try write(request, onText: onText, onProgress: onProgress)
    } catch {
      promptCache?.clear()
      throw error
    }
  }

  private func write(
    _ request: Request, onText: (String) -> Bool, onProgress: (Progress) throws -> Void
  ) throws -> Answer {
    var seconds = StageSeconds()
    var meter = MemoryMeter()
    try model.beginRequest()
    let plan = try plan(request)
    // The last token needs no place in the context, since nothing is computed from it.
    let room = min(request.maxTokens, model.config.language.maxPositions - plan.promptTokens + 1)
    var guide = try request.schema.map {
      try SchemaWriter(
        $0, vocabulary: model.vocabulary, tokenizer: model.tokenizer, end: model.endToken, budget: room)
    }
    let prefilled = try prefill(request, plan, seconds: &seconds, meter: &meter, onProgress: onProgress)
    var sampler = Sampler(request.sampling)
    var loops = LoopWatch()
    var stream = TextStream()
    var text = ""
    var tokens: [Int] = []
    var ending = room < request.maxTokens ? Ending.context : .maxTokens
    let end = model.endToken
    /// Picks the next token from the logits after the last one.
    func next() throws -> Int {
      func pick(among allowed: TokenSet? = nil) throws -> Int {
        guard let last = tokens.last else { return sampler.pick(prefilled.logits.lastRow, allowed: allowed) }
        let logits = try model.decoder.logits(after: last, cache: prefilled.cache)
        promptCache?.append(last)
        return sampler.pick(logits.lastRow, allowed: allowed)
      }
      return try guide?.next { try pick(among: $0) } ?? pick()
    }
    try measure(&seconds.decode) {
      while tokens.count < room {
        let token = try next()
        if token == end {
          if ending != .loop, guide?.isForced != true { ending = .complete }
          break
        }
        tokens.append(token)
        let piece = stream.append(model.tokenizer.bytes(of: token))
        text += piece
        if !onText(piece) {
          ending = .stopped
          break
        }
        if loops.append(token), request.stopsLoops {
          ending = .loop
          if guide?.finish() == nil { break }
        }
      }
    }
    let rest = stream.finish()
    text += rest
    if !rest.isEmpty && ending != .stopped { _ = onText(rest) }
    meter.sample()
    return Answer(
      text: text, tokens: tokens, ending: ending, promptTokens: prefilled.promptTokens,
      cachedTokens: prefilled.cached, tiles: prefilled.tiles, plan: prefilled.plan, seconds: seconds,
      memory: meter.peaks)
  }

  /// A prompt that went through the decoder (prefill).
  struct Prefilled {
    var cache: KeyValueCache
    /// Logits of the token after the prompt, [1][vocabulary].
    var logits: Rows
    var promptTokens: Int
    var cached: Int
    var tiles: Int
    var plan: TilePlan
  }

  /// The most tokens that a prompt may have if an answer of up to `maxTokens` is to fit too. At most a
  /// quarter of the context is kept free for the answer.
  func promptRoom(_ maxTokens: Int) -> Int {
    let limit = model.config.language.maxPositions
    return limit - min(max(maxTokens, 1), limit / 4) + 1
  }

  /// How many tiles each of a request's pictures would have, without encoding any.
  ///
  /// - Throws: `PromptError`.
  public func plan(_ request: Request) throws -> TilePlan {
    let limit = model.config.language.maxPositions
    // The prompt is laid out with pictures of one tile; the places of these tiles are then subtracted.
    let single = TileGrid(columns: 1, rows: 1)
    let prompt = try Prompt(
      turns: request.turns, imageGrids: request.pictures.map { _ in single }, tokenizer: model.tokenizer,
      config: model.config)
    let planner = TilePlanner(model.config.processor)
    let textTokens = prompt.tokens.count - request.pictures.count * planner.places.count(single)
    let plan = planner.plan(
      request.pictures, cropping: request.pictures.count <= 2, fixed: request.fixedTiles,
      limit: request.tileLimit, textTokens: textTokens, room: promptRoom(request.maxTokens))
    guard plan.promptTokens <= limit else {
      throw PromptError.tooLong(tokens: plan.promptTokens, limit: limit)
    }
    return plan
  }

  /// Encodes a request's pictures and sends its prompt through the decoder.
  func prefill(
    _ request: Request, _ plan: TilePlan, seconds: inout StageSeconds, meter: inout MemoryMeter,
    onProgress: (Progress) throws -> Void
  ) throws -> Prefilled {
    let processor = model.config.processor
    let cropping = request.pictures.count <= 2
    let tiled = measure(&seconds.tiling) {
      zip(request.pictures, plan.tiles).map {
        TiledPicture($0, processor: processor, cropping: cropping, mostTiles: $1)
      }
    }
    let prompt = try Prompt(
      turns: request.turns, imageGrids: tiled.map(\.grid), tokenizer: model.tokenizer, config: model.config)
    let count = prompt.tokens.count
    let limit = model.config.language.maxPositions
    let spans = prompt.pictureSpans(imageToken: model.tokenizer.imageToken, places: ImageTokens(processor))
    let identities = promptCache == nil ? [] : tiled.map(PictureIdentity.init)
    let cached = promptCache?.matchPrefix(prompt, spans, identities) ?? 0

    // Pictures that are in the cached prefix or have cached rows need no tower.
    let known = tiled.indices.map { promptCache?.rows(of: identities[$0]) }
    let toEncode = tiled.indices.filter { known[$0] == nil && spans[$0].upperBound > cached }
    let tiles = toEncode.map { tiled[$0].grid.encodedTiles }.reduce(0, +)
    var encoded = 0
    var pictures = known
    try measure(&seconds.vision) {
      for index in toEncode {
        try onProgress(.encoding(tiles: encoded, of: tiles))
        pictures[index] = try model.encode(tiled[index]) {
          try onProgress(.encoding(tiles: encoded + $0, of: tiles))
        }
        encoded += tiled[index].grid.encodedTiles
      }
    }
    meter.sample()
    model.releaseScratch()

    let cache =
      try promptCache?.cache(model.decoder, positions: limit)
      ?? model.decoder.makeCache(positions: count + min(limit - count, max(0, request.maxTokens)))
    let buffer = AlignedBuffer(ledger: model.ledger)
    defer { withExtendedLifetime(buffer) {} }
    let rows = try model.promptRows(prompt, pictures, from: cached, buffer: buffer)
    let logits = try measure(&seconds.prefill) {
      try onProgress(.reading(tokens: 0, of: rows.count))
      try model.decoder.forward(rows, cache: cache, answers: prompt.answers(from: cached)) {
        try onProgress(.reading(tokens: $0, of: rows.count))
      }
      return model.decoder.logits(rows.slice(rows.count - 1..<rows.count))
    }
    promptCache?.store(prompt, spans, identities, pictures)
    meter.sample()
    model.releaseScratch()
    return Prefilled(
      cache: cache, logits: logits, promptTokens: count, cached: cached, tiles: tiles, plan: plan)
  }

  func measure<T>(_ seconds: inout Double, _ body: () throws -> T) rethrows -> T {
    let begin = clock.now
    defer {
      let took = begin.duration(to: clock.now).components
      seconds += Double(took.seconds) + Double(took.attoseconds) * 1e-18
    }
    return try body()
  }
}

extension Rows {
  /// The last row's values.
  var lastRow: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: self[count - 1], count: columns)
  }
}

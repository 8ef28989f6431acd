import SIMDKernels
import VL2Quant

/// The language model: rows in, rows and logits out.
package final class Decoder {
  /// Not copyable, so that each token borrows the layers and no reference is counted.
  private struct Layer: ~Copyable {
    /// The number of the layer's section.
    let section: Int?
    let inputNorm: UnsafePointer<Float>
    let attention: any Attention
    let postAttentionNorm: UnsafePointer<Float>
    let feedForward: MixtureOfExperts
  }

  /// Rows that go through a layer's weights together; the size of a chunk does not change a bit of the result.
  package static let defaultChunk = 512
  /// Rows of a chunk unless a caller asks for another number; fewer where memory is short.
  package var chunk = defaultChunk

  package let config: LanguageConfig
  private let weights: Weights
  private let store: any ExpertStore
  private let ledger: ByteLedger
  private let onlyInt8: Bool
  /// The process's memory after rows went through.
  private(set) var meter = MemoryMeter()
  /// Divides the memory, where it is limited.
  package var budget: MemoryBudget?
  private let embedding: vl2_matrix
  private let layers: UnsafeMutableBufferPointer<Layer>
  private let headSection: Int?
  private let finalNorm: UnsafePointer<Float>
  private let head: Linear
  private let arithmetic: Arithmetic
  private var parts = PlainList<Part>()
  private let attentionScratch: AttentionScratch
  private var normed = AlignedStorage()
  private var attended = AlignedStorage()
  private var logitRows = AlignedStorage()
  private var tokenRow = AlignedStorage()
  private var guessRow = AlignedStorage()
  /// How many threads write tokens.
  package var writing: WritingThreads

  /// - Throws: `PackedFileError` for a file without a tensor that the config demands.
  package init(
    _ file: Weights, store: any ExpertStore, keyValues: KeyValueCode, ledger: ByteLedger,
    arithmetic: Arithmetic, writing: WritingThreads
  ) throws {
    weights = file
    self.writing = writing
    onlyInt8 = arithmetic.mode != .float32 && file.decoderTakesInt8
    self.ledger = ledger
    self.store = store
    self.arithmetic = arithmetic
    let config = file.config.language
    self.config = config
    attentionScratch = AttentionScratch(threads: arithmetic.pool.threads)
    let hidden = config.hiddenSize
    func norm(_ name: String) throws -> UnsafePointer<Float> {
      try file.plain(name, count: hidden).baseAddress!
    }
    embedding = try file.matrix(
      "language.model.embed_tokens.weight", rows: config.vocabularySize, columns: hidden)
    let makeAttention = Self.attentionMaker(
      file, keyValues: keyValues, scratch: attentionScratch, arithmetic: arithmetic)
    let feedForwardScratch = FeedForwardScratch()
    let expertsTakeInt8 = file.expertsTakeInt8
    let parts = try (0..<config.layers).map { i in
      let p = "language.model.layers.\(i)."
      let routed = config.hasExperts(layer: i)
      let shared =
        if !routed {
          try GatedWeights(file, p + "mlp", hidden: hidden, inner: config.denseWidth)
        } else if config.sharedWidth > 0 {
          try GatedWeights(file, p + "mlp.shared_experts", hidden: hidden, inner: config.sharedWidth)
        } else {
          GatedWeights?.none
        }
      var router: Router?
      if routed, let routing = config.routing {
        router = try Router(file, layer: i, routing: routing, arithmetic: arithmetic)
      }
      return (
        norms: (
          try norm(p + "input_layernorm.weight"), try norm(p + "post_attention_layernorm.weight")
        ),
        attention: try makeAttention(i),
        feedForward: MixtureOfExperts(
          layer: i, router: router, config: config, shared: shared,
          expertsTakeInt8: expertsTakeInt8, store: store, scratch: feedForwardScratch, arithmetic: arithmetic)
      )
    }
    finalNorm = try norm("language.model.norm.weight")
    head = Linear(try file.matrix("language.lm_head.weight", rows: config.vocabularySize, columns: hidden))
    layers = .allocate(capacity: parts.count)
    for (i, part) in parts.enumerated() {
      (layers.baseAddress! + i).initialize(
        to: Layer(
          section: file.file.section("layer.\(i)"), inputNorm: part.norms.0, attention: part.attention,
          postAttentionNorm: part.norms.1, feedForward: part.feedForward))
    }
    headSection = file.file.section("head")
  }

  deinit {
    layers.baseAddress?.deinitialize(count: layers.count)
    layers.deallocate()
  }

  /// A function that makes the attention of each layer; layers share a rotary table and scratch memory.
  private static func attentionMaker(
    _ file: Weights, keyValues: KeyValueCode, scratch: AttentionScratch, arithmetic: Arithmetic
  ) -> (Int) throws -> any Attention {
    let config = file.config.language
    switch config.attention {
    case .mha(let heads, let keyValueHeads, let headSize):
      let rotary = RotaryTable(size: headSize, theta: config.ropeTheta)
      return {
        try MultiHeadAttention(
          file, layer: $0, heads: heads, keyValueHeads: keyValueHeads, headSize: headSize,
          keyValues: keyValues,
          rotary: rotary, scratch: scratch, arithmetic: arithmetic)
      }
    case .mla(let heads, let queryRank, let rank, let nope, let rope, let value):
      let rotary = RotaryTable(size: rope, theta: config.ropeTheta)
      let shape = LatentAttention.Shape(
        heads: heads, queryRank: queryRank, rank: rank, nope: nope, rope: rope, value: value)
      return {
        LatentAttention(
          try LatentAttention.Matrices(file, layer: $0, shape: shape), shape: shape, rotary: rotary,
          scratch: scratch, arithmetic: arithmetic)
      }
    }
  }

  /// A cache for one conversation of up to `positions` positions, or as many as a budget has room for.
  package func makeCache(positions: Int) throws -> KeyValueCache {
    var positions = positions
    if let budget {
      let one = try KeyValueCache(
        layers: layers.count,
        bytesPerLayer: bytesPerLayer(positions: 64), capacity: 64)
      let working = config.workingBytes(
        rows: 1, chunk: 1, positions: positions, threads: arithmetic.pool.threads)
      for shortage in [MemoryBudget.Shortage.slots, .work] {
        while budget.largestCache(working: working) < positions * one.bytesPerPosition,
          budget.reclaim(shortage)
        {}
      }
      positions = max(1, min(positions, budget.largestCache(working: working) / one.bytesPerPosition))
    }
    let bytes = bytesPerLayer(positions: positions)
    return try KeyValueCache(
      layers: layers.count, bytesPerLayer: bytes, capacity: positions, ledger: ledger)
  }

  /// A cache like another one that holds the first `positions` positions of it, for up to `capacity`.
  ///
  /// - Throws: `MemoryError` where the system refuses memory.
  package func copy(_ cache: KeyValueCache, positions: Int, capacity: Int) throws -> KeyValueCache {
    let copy = try makeCache(positions: capacity)
    let positions = min(positions, cache.length, copy.capacity)
    for i in 0..<layers.count {
      layers[i].attention.copy(
        positions: positions, of: cache.layer(i), capacity: cache.capacity, to: copy.layer(i),
        copyCapacity: copy.capacity)
    }
    copy.advance(by: positions)
    return copy
  }

  /// The most bytes that any layer keeps for so many positions.
  private func bytesPerLayer(positions: Int) -> Int {
    var most = 0
    for i in 0..<layers.count { most = max(most, layers[i].attention.cacheBytes(capacity: positions)) }
    return most
  }

  /// The decoder's input row for a token. The caller must make sure that the token is in the vocabulary.
  ///
  /// - Throws: `PackedFileError` where the weights cannot be read.
  package func embed(_ token: Int, into row: UnsafeMutablePointer<Float>) throws {
    precondition(token >= 0 && token < config.vocabularySize)
    try weights.embed(token, of: embedding, into: row)
  }

  /// Sends rows through all layers and leaves what attention keeps in `cache`. All rows go through one layer
  /// before the next, so that each layer's weights are needed once.
  ///
  /// - Parameters:
  ///   - x: [count][hidden]; overwritten with the last layer's output.
  ///   - answers: rows of `x` that the model wrote, in ascending order; the others are prompt rows (see `RowKind`).
  ///   - chunk: rows that go through the weights together; no bit depends on it.
  ///   - forcedRoutes: expert ids to take, for each layer with experts, [rows of x][kept].
  ///   - progress: called after each chunk's part of a layer with the share of the work that is done, as a number of
  ///     rows.
  /// - Throws: `PromptError.tooLong` where `cache` is too small, `MemoryBudgetError.request` where the budget is,
  ///   `PackedFileError` where weights cannot be read or the file changed meanwhile, and what `progress` throws;
  ///   `cache` then holds what it held before.
  package func forward(
    _ x: Rows, cache: KeyValueCache, answers: [Range<Int>] = [], chunk: Int? = nil,
    forcedRoutes: [Int: [Int32]]? = nil, observer: StageObserver? = nil,
    progress: (Int) throws -> Void = { _ in }
  ) throws {
    let chunk = chunk ?? self.chunk
    let end = cache.length + x.count
    try budget?.makeRoomForDecoder(
      working: cache.growth(to: end)
        + config.workingBytes(
          rows: x.count, chunk: chunk, positions: end, threads: arithmetic.pool.threads, onlyInt8: onlyInt8))
    guard end <= cache.capacity else { throw PromptError.tooLong(tokens: end, limit: cache.capacity) }
    let normed = Rows(self.normed.reserve(x.count * x.columns), count: x.count, columns: x.columns)
    let attended = Rows(
      self.attended.reserve(min(chunk, x.count) * x.columns), count: min(chunk, x.count), columns: x.columns)
    let kernels = vl2_kernels_active().pointee
    cut(count: x.count, chunk: chunk, answers: answers)
    arithmetic.tap?.begin(at: cache.length)
    for i in 0..<layers.count {
      try weights.use(
        number: layers[i].section, next: i + 1 < layers.count ? layers[i + 1].section : headSection)
      for together in parts.elements {
        let (rows, kind) = (together.rows, together.kind)
        let (part, attended) = (x.slice(rows), attended.slice(0..<rows.count))
        rmsNorm(part, layers[i].inputNorm, into: normed.slice(rows))
        arithmetic.tap?.take(.consecutive(first: rows.lowerBound))
        layers[i].attention.attend(
          normed.slice(rows), start: cache.length + rows.lowerBound, kind: kind, cache: cache.layer(i),
          capacity: cache.capacity, into: attended)
        arithmetic.enter(.sum)
        arithmetic.forEachRowRange(rows.count) { range in
          for row in range { kernels.add(part[row], attended[row], x.columns) }
        }
        if parts.count > 1 { try progress(x.count * i / layers.count) }
      }
      rmsNorm(x, layers[i].postAttentionNorm, into: normed)
      if let forced = forcedRoutes?[i] {
        try forced.withUnsafeBufferPointer {
          try feedForward(i, normed, x, chunk, forced: $0, observer, progress: progress)
        }
      } else {
        try feedForward(i, normed, x, chunk, forced: nil, observer, progress: progress)
      }
      arithmetic.enter(.other)
      observer?.observe("layer.\(i)", x)
      try progress(x.count * (i + 1) / layers.count)
    }
    try weights.use(number: headSection, next: nil)
    try weights.file.checkUnchanged()
    cache.advance(by: x.count)
    if x.count > 1 || cache.length % 32 == 0 { meter.sample() }
  }

  /// Borrows the layer while it works: taking it out of the list would count a reference.
  private func feedForward(
    _ layer: Int, _ normed: Rows, _ x: Rows, _ chunk: Int, forced: UnsafeBufferPointer<Int32>?,
    _ observer: StageObserver?, progress: (Int) throws -> Void
  ) throws {
    func apply(_ borrowed: borrowing Layer, lookAhead: (Rows) -> Void) throws {
      try borrowed.feedForward.apply(
        normed, addingTo: x, chunk: chunk, forced: forced, observer: observer, lookAhead: lookAhead
      ) { try progress(x.count * layer / layers.count) }
    }
    try apply(layers[layer]) { lookAhead(from: layer, $0) }
  }

  /// Rows that go through attention together.
  private struct Part: BitwiseCopyable {
    let first, end: Int
    let kind: RowKind

    var rows: Range<Int> { first..<end }
  }

  /// Sets `parts`: chunks, cut also where prompt rows and answer rows meet.
  private func cut(count: Int, chunk: Int, answers: [Range<Int>]) {
    parts.removeAll()
    func append(to end: Int, _ kind: RowKind) {
      while true {
        let first = parts.count == 0 ? 0 : parts[parts.count - 1].end
        if first >= end { return }
        parts.append(Part(first: first, end: min(end, first + chunk), kind: kind))
      }
    }
    for answer in answers {
      append(to: answer.lowerBound, .prompt)
      append(to: answer.upperBound, .answer)
    }
    append(to: count, .prompt)
  }

  /// How many layers ahead experts are guessed. Guesses for farther layers are wrong too often
  /// (Benchmarks/LOG.md).
  private static let guessedLayers = 4

  /// Tells the store which experts later layers will probably want. Their own routers are applied to what is
  /// known of this layer's output. The nearest layer comes first, and farther ones follow as long as the
  /// store asks for more.
  ///
  /// - Parameter x: the residual rows, with what is known of this layer's output.
  private func lookAhead(from layer: Int, _ x: Rows) {
    let next = layer + 1..<min(layers.count, layer + 1 + Self.guessedLayers)
    guard let first = next.first, layers[first].feedForward.isRouted else { return }
    if x.count > PrefetchMode.guessedRows {
      store.prefetch(layer: first, experts: Array(0..<(config.routing?.experts ?? 0)), certain: true)
      return
    }
    let guess = Rows(guessRow.reserve(x.count * x.columns), count: x.count, columns: x.columns)
    for index in next {
      rmsNorm(x, layers[index].postAttentionNorm, into: guess)
      let picks = layers[index].feedForward.picks(for: guess)
      if !store.prefetch(layer: index, experts: picks, certain: false) { break }
    }
  }

  private func rmsNorm(_ rows: Rows, _ weight: UnsafePointer<Float>, into out: Rows) {
    let kernels = vl2_kernels_active().pointee
    let epsilon = config.normEpsilon
    arithmetic.enter(.norm)
    arithmetic.forEachRowRange(rows.count) { range in
      kernels.rms_norm(
        rows[range.lowerBound], rows.stride, range.count, rows.columns, weight, epsilon,
        out[range.lowerBound],
        out.stride)
    }
  }

  /// Sends one token through the model.
  ///
  /// - Parameter routes: expert ids to take, for each layer with experts, [1][kept].
  /// - Returns: the logits of the next token, [1][vocabulary], valid until the next call.
  package func logits(after token: Int, cache: KeyValueCache, routes: [Int: [Int32]]? = nil) throws -> Rows {
    let x = Rows(tokenRow.reserve(config.hiddenSize), count: 1, columns: config.hiddenSize)
    try embed(token, into: x.base)
    let pool = arithmetic.pool
    pool.crew = writing.next
    defer { pool.crew = pool.threads }
    let begin = writing.isTrying ? ContinuousClock.now : nil
    try forward(x, cache: cache, answers: [0..<1], forcedRoutes: routes)
    let logits = logits(x)
    writing.wrote(seconds: begin.map { (ContinuousClock.now - $0) / .seconds(1) } ?? 0)
    return logits
  }

  /// The token of the largest logit in the last row.
  package func likeliest(_ logits: Rows) -> Int {
    arithmetic.enter(.pick)
    defer { arithmetic.enter(.other) }
    return vl2_kernels_active().pointee.argmax(logits[logits.count - 1], logits.columns)
  }

  /// Final norm and output matrix.
  ///
  /// - Parameter x: rows of the last layer, [count][hidden].
  /// - Returns: [count][vocabulary], valid until the next call.
  package func logits(_ x: Rows) -> Rows {
    let normed = Rows(self.normed.reserve(x.count * x.columns), count: x.count, columns: x.columns)
    rmsNorm(x, finalNorm, into: normed)
    arithmetic.enter(.head)
    defer { arithmetic.enter(.other) }
    let out = Rows(
      logitRows.reserve(x.count * head.outputs, of: Float.self), count: x.count, columns: head.outputs)
    arithmetic.multiply(head, arithmetic.prepare(normed, for: head), count: x.count, into: out)
    return out
  }

  /// Frees the scratch that long prompts needed.
  package func releaseScratch() {
    normed.release()
    attended.release()
    guessRow.release()
    for i in 0..<layers.count { layers[i].feedForward.releaseScratch() }
    attentionScratch.release()
  }
}

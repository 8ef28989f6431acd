import Foundation
import VL2Quant

/// One question, with its pictures, answered by a model.
public final class Session {
  private let model: Model
  private var clock = ContinuousClock()

  public init(_ model: Model) { self.model = model }

  /// What is asked for.
  public struct Request {
    /// System, user and assistant turns, the last of them the user's.
    public var turns: [Turn]
    public var pictures: [Picture]
    /// Tokens to write at the most.
    public var maxTokens: Int

    public init(turns: [Turn], pictures: [Picture] = [], maxTokens: Int = 512) {
      self.turns = turns
      self.pictures = pictures
      self.maxTokens = maxTokens
    }
  }

  /// Why an answer ended.
  public enum Ending: String, Sendable, Codable {
    /// The model wrote its end token.
    case complete
    /// `maxTokens` were written.
    case maxTokens = "max_tokens"
    /// The context is full.
    case context
    /// `onText` asked to stop.
    case stopped
  }

  /// An answer and what it took.
  public struct Answer: Sendable {
    public var text: String
    /// Ids written, the end token left out.
    public var tokens: [Int]
    public var ending: Ending
    public var promptTokens: Int
    /// Tiles that went through the vision tower.
    public var tiles: Int
    public var seconds: StageSeconds
    public var memory: MemoryPeaks
  }

  /// Seconds of each stage.
  public struct StageSeconds: Sendable {
    /// Cutting pictures into tiles.
    public var tiling = 0.0
    /// Tower and projector.
    public var vision = 0.0
    /// The prompt through the decoder, the first token picked.
    public var prompt = 0.0
    /// All further tokens.
    public var writing = 0.0
  }

  /// What a session is doing before the answer begins.
  public enum Progress: Sendable {
    /// Tiles through the vision tower.
    case encoding(tiles: Int, of: Int)
    /// Prompt tokens through the decoder.
    case reading(tokens: Int, of: Int)
  }

  /// Answers greedily.
  ///
  /// - Parameters:
  ///   - onText: receives the answer as it is written, whole characters at a time; returns false to
  ///     stop.
  ///   - onProgress: receives what is done before the answer begins.
  /// - Throws: `PackedFileError` where weights cannot be read, `PromptError` where `<image>` places and pictures do not agree or the prompt does not fit the
  ///   context.
  public func answer(
    _ request: Request, onText: (String) -> Bool = { _ in true }, onProgress: (Progress) -> Void = { _ in }
  ) throws -> Answer {
    var seconds = StageSeconds()
    var meter = MemoryMeter()
    try model.beginRequest()
    let processor = model.config.processor
    let cropping = request.pictures.count <= 2
    let tiled = measure(&seconds.tiling) {
      request.pictures.map { TiledPicture($0, processor: processor, cropping: cropping) }
    }
    let prompt = try Prompt(
      turns: request.turns, imageGrids: tiled.map(\.grid), tokenizer: model.tokenizer, config: model.config)
    let limit = model.config.language.maxPositions
    let tiles = tiled.map(\.encodedTiles).reduce(0, +)
    var encoded = 0
    let pictures = try measure(&seconds.vision) {
      try tiled.map { picture in
        defer { encoded += picture.encodedTiles }
        onProgress(.encoding(tiles: encoded, of: tiles))
        return try model.encode(picture) { onProgress(.encoding(tiles: encoded + $0, of: tiles)) }
      }
    }
    meter.sample()
    model.releaseScratch()

    let count = prompt.tokens.count
    let cache = try model.decoder.makeCache(positions: min(limit, count + max(0, request.maxTokens)))
    let buffer = AlignedBuffer()
    defer { withExtendedLifetime(buffer) {} }
    let rows = try model.promptRows(prompt, pictures, buffer: buffer)
    var next = 0
    try measure(&seconds.prompt) {
      onProgress(.reading(tokens: 0, of: count))
      try model.decoder.forward(rows, cache: cache) { onProgress(.reading(tokens: $0, of: count)) }
      next = model.decoder.likeliest(model.decoder.logits(rows.slice(count - 1..<count)))
    }
    meter.sample()
    model.releaseScratch()

    var stream = TextStream()
    var text = ""
    var tokens: [Int] = []
    var ending = Ending.maxTokens
    let end = model.endToken
    try measure(&seconds.writing) {
      while tokens.count < request.maxTokens {
        if next == end {
          ending = .complete
          break
        }
        tokens.append(next)
        let piece = stream.append(model.tokenizer.bytes(of: next))
        text += piece
        if !piece.isEmpty, !onText(piece) {
          ending = .stopped
          break
        }
        if tokens.count == request.maxTokens { break }
        if cache.length == cache.capacity {
          ending = .context
          break
        }
        next = try model.decoder.step(next, cache: cache)
      }
    }
    let rest = stream.finish()
    text += rest
    if !rest.isEmpty && ending != .stopped { _ = onText(rest) }
    meter.sample()
    return Answer(
      text: text, tokens: tokens, ending: ending, promptTokens: count,
      tiles: tiles,
      seconds: seconds, memory: meter.peaks)
  }

  private func measure<T>(_ seconds: inout Double, _ body: () throws -> T) rethrows -> T {
    let begin = clock.now
    defer {
      let took = begin.duration(to: clock.now).components
      seconds += Double(took.seconds) + Double(took.attoseconds) * 1e-18
    }
    return try body()
  }
}

extension TiledPicture {
  /// Tiles that the tower has to encode.
  fileprivate var encodedTiles: Int { globalEqualsLocal ? 1 : 1 + grid.rows * grid.columns }
}

extension Model {
  /// The rows that a prompt enters the decoder as: token embeddings, with pictures' rows in their places.
  package func promptRows(
    _ prompt: Prompt, _ pictures: [EncodedPicture], buffer: AlignedBuffer
  ) throws -> Rows {
    let hidden = config.language.hiddenSize
    let rows = Rows(
      buffer.reserve(prompt.tokens.count * hidden), count: prompt.tokens.count, columns: hidden)
    var picture = 0
    var place = 0
    for (i, token) in prompt.tokens.enumerated() {
      while picture < pictures.count && place == pictures[picture].rows.count {
        picture += 1
        place = 0
      }
      if token == tokenizer.imageToken, picture < pictures.count {
        rows[i].update(from: pictures[picture].rows[place], count: hidden)
        place += 1
      } else {
        try decoder.embed(token, into: rows[i])
      }
    }
    return rows
  }
}

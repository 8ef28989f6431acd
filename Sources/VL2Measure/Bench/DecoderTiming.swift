import VL2Base
import VL2Run

/// The decoder alone, on random token ids. Which ids they are does not matter, but they must vary, because
/// each token picks its own experts.
final class DecoderTiming {
  let prompt, written, far: Int
  private let model: Model
  private let cache: KeyValueCache
  private let tokens: [Int]
  private let buffer = AlignedBuffer()

  init(_ model: Model, random: inout RandomBits) throws {
    self.model = model
    let limit = model.config.language.maxPositions
    prompt = min(512, limit)
    written = min(64, limit)
    far = min(3500, limit - written)
    tokens = random.numbers(
      max(prompt, far + written), below: model.config.language.vocabularySize)
    cache = try model.decoder.makeCache(positions: tokens.count)
  }

  func prefill() throws {
    cache.truncate(to: 0)
    try read(0..<prompt)
  }

  /// Fills the cache up to `far`.
  func fill() throws {
    cache.truncate(to: 0)
    try read(0..<far)
  }

  /// Writes after `position` positions, which the cache must hold.
  func decode(after position: Int) throws {
    cache.truncate(to: position)
    for place in position..<position + written { _ = try model.decoder.step(tokens[place], cache: cache) }
  }

  /// Runs a prompt through the decoder, and picks the token that it would write next.
  private func read(_ range: Range<Int>) throws {
    guard !range.isEmpty else { return }
    let hidden = model.config.language.hiddenSize
    let rows = Rows(buffer.reserve(range.count * hidden), count: range.count, columns: hidden)
    defer { withExtendedLifetime(buffer) {} }
    for (row, place) in range.enumerated() { try model.decoder.embed(tokens[place], into: rows[row]) }
    try model.decoder.forward(rows, cache: cache)
    _ = model.decoder.likeliest(model.decoder.logits(rows.slice(range.count - 1..<range.count)))
  }
}

import VL2Base
import VL2Run

/// The decoder alone, on random token ids. Which ids they are does not matter, but they must vary, because
/// each token picks its own experts.
final class DecoderTiming {
  let prompt, written, far: Int
  private let model: Model
  private let tokens: [Int]
  private var nearReading: Reading?
  private var farReading: Reading?

  init(_ model: Model, random: inout RandomBits) throws {
    self.model = model
    let limit = model.contextLength
    prompt = min(512, limit)
    written = min(64, limit / 2)
    far = min(3500, limit - written)
    tokens = random.numbers(
      max(prompt, far + written), below: model.config.language.vocabularySize)
  }

  /// Runs a prompt through the decoder, and picks the token that it would write next.
  func prefill() throws { _ = try read(prompt) }

  /// Reads the prompt of `far` tokens.
  func fill() throws { farReading = try read(far) }

  /// Writes after nothing but a first token, or after the prompt of `far` tokens, which must have been read.
  func decode(far: Bool) throws {
    if nearReading == nil { nearReading = try read(1) }
    guard let reading = far ? farReading : nearReading else { return }
    let start = reading.prompt.tokens.count
    reading.rewind()
    var after: [Int] = []
    for place in start..<start + written {
      after.append(tokens[place])
      _ = model.decoder.likeliest(try reading.logits(after: after))
    }
  }

  private func read(_ count: Int) throws -> Reading {
    let reading = try Reading(tokens: Array(tokens[..<count]), written: written, model: model)
    _ = model.decoder.likeliest(try reading.logits())
    return reading
  }
}

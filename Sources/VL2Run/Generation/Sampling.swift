/// How the next token is picked from the model's logits.
///
/// The same options and the same logits give the same tokens on every machine and with any number of threads:
/// the exponentials are the kernels' own, sums have a fixed order, and the random numbers come from SplitMix64.
public struct Sampling: Sendable, Equatable {
  /// 0 takes the likeliest token each time. Otherwise logits are divided by it: 1 is the model's own
  /// distribution, less is more certain. Not negative.
  public var temperature: Float
  /// Draw among the fewest tokens that together have this probability; 1 for all. Above 0, at most 1.
  public var topP: Float
  /// For tokens that the prompt or the answer holds already, positive logits are divided by this and the others are
  /// multiplied by it. 1 changes nothing; the publisher's own program takes 1.1. At least 1.
  ///
  /// The prompt counts, with the token that stands in the places of pictures, because it does so in the publisher's
  /// program (`inference.py` of deepseek-ai/DeepSeek-VL2 hands `input_ids` to `generate`).
  ///
  /// Source: Keskar et al., "CTRL: a conditional transformer language model", 2019, section 4.1.
  public var repetitionPenalty: Float
  /// The seed of the random numbers. It has no effect at temperature 0.
  public var seed: UInt64

  public init(temperature: Float = 0, topP: Float = 1, repetitionPenalty: Float = 1, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topP = topP
    self.repetitionPenalty = repetitionPenalty
    self.seed = seed
  }

  /// The likeliest token each time.
  public static let greedy = Sampling()
}

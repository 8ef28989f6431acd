import ArgumentParser
import VL2Run

/// How answers are written.
struct AnswerOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The longest answer, in tokens; one is a short word or a piece of a long one.", valueName: "n"))
  var maxTokens = 512

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "0: the likeliest answer, always the same; 0.7: drawn at random; over 1: wild.", valueName: "t"))
  var temperature: Float = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --temperature: draw among the likeliest tokens only, which together have this probability; 0.9 is usual.",
      valueName: "p"))
  var topP: Float = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Over 1 makes the model repeat itself less; 1.1 is usual.", valueName: "r"))
  var repetitionPenalty: Float = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --temperature: the same number gives the same answer. (default: another each time)",
      valueName: "n"
    ))
  var seed: UInt64?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A text before the question that tells the model how to behave.", valueName: "text"))
  var system: String?

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens \(maxTokens): give at least 1.") }
    if !(0...100).contains(temperature) {
      throw ValidationError("--temperature \(temperature): give a number from 0 to 100; 0.7 is usual.")
    }
    if !(topP > 0 && topP <= 1) {
      throw ValidationError("--top-p \(topP): give a number over 0, up to 1; 0.9 is usual.")
    }
    if !(1...100).contains(repetitionPenalty) {
      throw ValidationError("--repetition-penalty \(repetitionPenalty): give a number from 1; 1.1 is usual.")
    }
  }

  /// The options, with a random seed if none was given.
  var sampling: Sampling {
    Sampling(
      temperature: temperature, topP: topP, repetitionPenalty: repetitionPenalty,
      seed: seed ?? .random(in: 0..<1 << 32))
  }
}

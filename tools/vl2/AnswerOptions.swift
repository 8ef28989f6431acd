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
      "0: the likeliest answer, always the same; 0.4: drawn at random, as the model's publisher does; over 1: wild.",
      valueName: "t"))
  var temperature: Float = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --temperature: draw among the likeliest tokens only, which together have this probability; the publisher takes 0.9.",
      valueName: "p"))
  var topP: Float = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Over 1 makes the model repeat less of what it and the question said; the publisher takes 1.1.",
      valueName: "r"))
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

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How the answer begins, for example {; the model goes on from there.", valueName: "text"))
  var begin: String?

  func validate() throws {
    if begin != nil, beginning.isEmpty { throw ValidationError("--begin: the text is empty.") }
    if maxTokens < 1 { throw ValidationError("--max-tokens \(maxTokens): give at least 1.") }
    if !(0...100).contains(temperature) {
      throw ValidationError("--temperature \(temperature): give a number from 0 to 100; 0.4 is usual.")
    }
    if !(topP > 0 && topP <= 1) {
      throw ValidationError("--top-p \(topP): give a number over 0, up to 1; 0.9 is usual.")
    }
    if !(1...100).contains(repetitionPenalty) {
      throw ValidationError("--repetition-penalty \(repetitionPenalty): give a number from 1; 1.1 is usual.")
    }
  }

  /// How answers begin; empty where the model begins them. White space at the ends is dropped, as for every turn.
  var beginning: String { begin?.strippedAsPython ?? "" }

  /// The turn with which a conversation ends, if answers begin with something.
  var begunTurns: [Turn] { beginning.isEmpty ? [] : [.assistant(beginning)] }

  /// The options, with a random seed if none was given.
  var sampling: Sampling {
    Sampling(
      temperature: temperature, topP: topP, repetitionPenalty: repetitionPenalty,
      seed: seed ?? .random(in: 0..<1 << 32))
  }
}

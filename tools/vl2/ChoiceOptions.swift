import ArgumentParser
import VL2Base

/// What to pick from instead of writing an answer.
struct ChoiceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Pick one of these, separated by commas, instead of writing an answer; told with its probability.",
      valueName: "a,b,c"))
  var choices: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A choice as one of --choices, which may hold commas; give it once for each.", valueName: "text"))
  var choice: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --choices: where none is as likely as this, 0 to 1, none is picked; ask then exits with status 1.",
      valueName: "p"))
  var minProbability = 0.0

  /// All of them; empty where an answer is written.
  var texts: [String] {
    (choices?.split(separator: ",", omittingEmptySubsequences: false) ?? []).map { $0.trimmed() } + choice
  }

  func validate() throws {
    if !(0...1).contains(minProbability) {
      throw ValidationError("--min-probability \(minProbability): give a number from 0 to 1.")
    }
    if texts.isEmpty, minProbability != 0 {
      throw ValidationError("--min-probability goes with --choices.")
    }
  }
}

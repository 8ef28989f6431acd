import VL2Run

/// Which of several choices an answer picks: AI2D's rule and that of other questions with choices.
///
/// Source: VLMEvalKit, `vlmeval/utils/matching_util.py`, `can_infer`: what it does before it would ask another model
/// (`exact_matching`). An answer that cannot be told is wrong.
enum ChoiceLetter {
  typealias Choice = (letter: String, text: String)

  static func score(_ answer: String, right: String, choices: [Choice]) -> Double {
    picked(answer, of: choices) == right ? 1 : 0
  }

  /// - Returns: its letter; `Z` for an answer that declines, which is never right; nil where it cannot be told.
  static func picked(_ answer: String, of choices: [Choice]) -> String? {
    letter(in: answer, of: choices) ?? text(in: answer, of: choices)
  }

  private static let refusals = [
    "Sorry, I can't help with images of people yet.", "I can't process this file.",
    "I'm sorry, but without the image provided", "Cannot determine the answer",
  ]

  /// The one letter that stands among the last four words, marks left out, while no other does anywhere.
  private static func letter(in answer: String, of choices: [Choice]) -> String? {
    if refusals.contains(where: answer.holds) { return "Z" }
    let words = answer.replacing([".", "(", ")", "[", "]", ",", ":", ";", "!", "*", "#", "{", "}"], by: " ")
      .pythonWords
    let standing = choices.filter { words.contains($0.letter) }
    if standing.count == 1, let place = words.firstIndex(of: standing[0].letter), place > words.count - 5 {
      return standing[0].letter
    }
    if standing.isEmpty, words.contains("Z") { return "Z" }
    return announced(in: answer).flatMap { letter in choices.contains { $0.letter == letter } ? letter : nil }
  }

  /// A to D behind the first "answer is" that such a letter follows: `(?i)answer\s+is\s+\**([ABCD])`.
  private static func announced(in answer: String) -> String? {
    let scalars = Array(answer.lowercased().unicodeScalars)
    func matches(_ word: String, at place: Int) -> Int? {
      let wanted = Array(word.unicodeScalars)
      return scalars[place...].starts(with: wanted) ? place + wanted.count : nil
    }
    func afterSpace(_ place: Int) -> Int? {
      let end = scalars[place...].firstIndex { !$0.isPythonSpace } ?? scalars.count
      return end > place ? end : nil
    }
    for start in scalars.indices {
      guard let noun = matches("answer", at: start), let gap = afterSpace(noun),
        let verb = matches("is", at: gap),
        let rest = afterSpace(verb), let letter = scalars[rest...].first(where: { $0 != "*" }),
        ["a", "b", "c", "d"].contains(letter)
      else { continue }
      return String(letter).uppercased()
    }
    return nil
  }

  /// The one choice whose text stands in an answer that is not much longer than all of them.
  private static func text(in answer: String, of choices: [Choice]) -> String? {
    let answer = answer.lowercased()
    guard answer.codePoints <= 2 * choices.reduce(0, { $0 + $1.text.codePoints }) else { return nil }
    let standing = choices.filter { answer.holds($0.text.lowercased()) }
    return standing.count == 1 ? standing[0].letter : nil
  }
}

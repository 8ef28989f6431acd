import VL2Run

/// The rule of VQA and TextVQA: ten people have answered, and an answer is right that three of them gave.
///
/// For each person in turn, the answer is held against those of the others: it scores a third for each that is the same, 1 at
/// the most. The score is the mean over all persons: 0.3 where one gave the answer, 0.6, 0.9, and 1 from four on.
///
/// Source: Antol et al., "VQA", arXiv:1505.00468; GT-Vision-Lab/VQA, `PythonEvaluationTools/vqaEvaluation/vqaEval.py`, as
/// VLMEvalKit has it in `vlmeval/dataset/utils/vqa_eval.py` (`process_line`, method `vqa_score`).
enum ConsensusAccuracy {
  /// The fewest answers that the rule has a meaning for.
  static let fewestAnswers = 2

  static func score(_ answer: String, _ right: [String]) -> Double {
    let answer = VQAText.normalised(answer)
    let matches = right.map { VQAText.normalised($0).isSame(as: answer) }
    let all = matches.count { $0 }
    let sum = matches.reduce(0.0) { sum, isMatch in sum + min(1, Double(isMatch ? all - 1 : all) / 3) }
    return sum / Double(max(1, right.count))
  }
}

/// A text as the VQA benchmarks compare it: without punctuation and articles, numbers up to ten as digits, contractions with
/// their apostrophes.
///
/// Source: that of `ConsensusAccuracy`: `process_answer`, `process_punctuation` and `_process_digit_article`.
enum VQAText {
  static func normalised(_ text: String) -> String {
    let plain = text.replacing(["\n", "\t"], by: " ").strippedAsPython
    return withoutArticles(withoutPunctuation(plain))
  }

  private static let punctuation: [Unicode.Scalar] = [
    ";", "/", "[", "]", "\"", "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",", "?", "!",
  ]

  /// A mark goes where a space stands beside it anywhere in the text, or a comma between digits does; else a space replaces it.
  private static func withoutPunctuation(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    let hasGroupedNumber = scalars.indices.dropFirst().dropLast().contains {
      scalars[$0] == "," && scalars[$0 - 1].isPythonDigit && scalars[$0 + 1].isPythonDigit
    }
    var kept = text
    for mark in punctuation where scalars.contains(mark) {
      let isBesideSpace = text.holds("\(mark) ") || text.holds(" \(mark)")
      kept = kept.replacing([mark], by: isBesideSpace || hasGroupedNumber ? "" : " ")
    }
    return withoutFullStops(kept)
  }

  /// Full stops beside a digit stay. The published code means to pass a flag, and passes a count instead: 32 go at the most.
  private static func withoutFullStops(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var kept = String.UnicodeScalarView()
    var dropped = 0
    for (place, scalar) in scalars.enumerated() {
      if scalar == ".", dropped < 32, place == 0 || !scalars[place - 1].isPythonDigit,
        place + 1 == scalars.count || !scalars[place + 1].isPythonDigit
      {
        dropped += 1
      } else {
        kept.append(scalar)
      }
    }
    return String(kept)
  }

  private static func withoutArticles(_ text: String) -> String {
    text.lowercased().pythonWords.compactMap { word in
      let word = numbers[word] ?? word
      return ["a", "an", "the"].contains(word) ? nil : contractions[word] ?? word
    }.joined(separator: " ")
  }

  private static let numbers = [
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9", "ten": "10",
  ]

  /// Each is also known with any one of its apostrophes missing.
  private static let contracted = """
    'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd \
    he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't needn't \
    not've o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd \
    someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's \
    they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll what're what's what've when's where'd \
    where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all \
    y'all'd've y'all'll you'd you'd've you'll you're you've
    """

  private static let contractions: [String: String] = {
    // The published table has this one the other way about.
    var table = ["somebody'd": "somebodyd"]
    for word in contracted.split(separator: " ").map(String.init) {
      for mark in word.indices where word[mark] == "'" {
        table[String(word[..<mark] + word[word.index(after: mark)...])] = word
      }
    }
    return table
  }()
}

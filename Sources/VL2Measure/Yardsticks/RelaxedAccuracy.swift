import VL2Run

/// ChartQA's rule: a number may be off by 5 % of the right one, any other answer has to be the same but for capitals.
///
/// Source: Masry et al., "ChartQA", arXiv:2203.10244, end of section 5.1; google-research/pix2struct,
/// `pix2struct/metrics.py`, `relaxed_correctness`, as VLMEvalKit has it in `vlmeval/dataset/utils/vqa_eval.py`. A number is
/// what Python's `float` reads, or that with `%` behind it, a hundredth: `1,000` is none. Where the right answer is 0,
/// which has no 5 %, the texts are compared.
enum RelaxedAccuracy {
  /// 1 where one of the right answers accepts it, else 0.
  static func score(_ answer: String, _ right: [String]) -> Double {
    let answer = answer.strippedAsPython
    return right.contains { accepts($0, answer) } ? 1 : 0
  }

  private static func accepts(_ target: String, _ answer: String) -> Bool {
    if let found = number(answer), let goal = number(target), goal != 0 {
      return abs(found - goal) / abs(goal) <= 0.05
    }
    return answer.lowercased().isSame(as: target.lowercased())
  }

  private static func number(_ text: String) -> Double? {
    guard text.hasSuffix("%") else { return text.pythonFloat }
    var digits = text
    while digits.hasSuffix("%") { digits.removeLast() }
    return digits.pythonFloat.map { $0 / 100 }
  }
}

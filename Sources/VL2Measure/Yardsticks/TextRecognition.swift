import VL2Run

/// OCRBench's rule: right is an answer that holds one of the right texts, in small letters and with spaces for line ends; of
/// handwritten formulas without any spaces, capitals as they are. The score is the number of right answers, of 1,000.
///
/// Source: Liu et al., "OCRBench", arXiv:2305.07895; VLMEvalKit, `vlmeval/dataset/image_vqa.py`, `OCRBench.evaluate`.
enum TextRecognition {
  /// The one category with a rule of its own.
  static let formulas = "Handwritten Mathematical Expression Recognition"

  static func score(_ answer: String, _ right: [String], category: String?) -> Double {
    let isFormula = category == formulas
    func folded(_ text: String) -> String {
      let text = (isFormula ? text : text.lowercased()).strippedAsPython.replacing(["\n"], by: " ")
      return isFormula ? text.replacing([" "], by: "") : text
    }
    let answer = folded(answer)
    return right.contains { answer.holds(folded($0)) } ? 1 : 0
  }
}

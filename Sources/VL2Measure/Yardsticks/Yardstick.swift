import VL2Base

/// A benchmark of the field: how its questions are put, and by which rule answers are scored.
package struct Yardstick: Sendable {
  /// What is asked besides the picture. All are those that VLMEvalKit gives DeepSeek-VL2, which has none of its own there
  /// (`vlmeval/vlm/deepseek_vl2.py`), but for `place`.
  enum Prompt: Sendable {
    /// The question as it stands.
    case question
    /// With a line that asks for a short answer (`ImageVQADataset.build_prompt`).
    case shortAnswer
    /// A hint, the question and its choices, each on a line (`ImageMCQDataset.build_prompt`).
    case choices
    /// The model's own question for boxes (`Grounding.question`).
    case place
  }

  package enum Rule: String, Sendable {
    case text = "same text"
    case exact = "same text in small letters"
    case relaxed = "relaxed accuracy, 5 %"
    case consensus = "consensus of ten"
    case similarity = "ANLS"
    case recognition = "right text in the answer"
    case choice = "letter of the choice"
    case overlap = "overlap of 0.5"

    /// Whether a score is more than right or wrong.
    package var isGraded: Bool { self == .consensus || self == .similarity }
  }

  package let name: String
  let prompt: Prompt
  package let rule: Rule
  /// Whether the published score is a number of right answers, and not a share.
  package let countsPoints: Bool

  private init(_ name: String, _ prompt: Prompt, _ rule: Rule, countsPoints: Bool = false) {
    self.name = name
    self.prompt = prompt
    self.rule = rule
    self.countsPoints = countsPoints
  }

  package static let all = [
    Yardstick("ChartQA", .shortAnswer, .relaxed), Yardstick("TextVQA", .shortAnswer, .consensus),
    Yardstick("DocVQA", .shortAnswer, .similarity), Yardstick("InfoVQA", .shortAnswer, .similarity),
    Yardstick("OCRVQA", .shortAnswer, .exact), Yardstick("GQA", .shortAnswer, .exact),
    Yardstick("OCRBench", .question, .recognition, countsPoints: true), Yardstick("AI2D", .choices, .choice),
    Yardstick("MMStar", .choices, .choice), Yardstick("RealWorldQA", .choices, .choice),
    Yardstick("ScienceQA", .choices, .choice), Yardstick("SEEDBench", .choices, .choice),
    Yardstick("RefCOCO", .place, .overlap), Yardstick("RefCOCO+", .place, .overlap),
    Yardstick("RefCOCOg", .place, .overlap),
    // By these names alone: what other files hold.
    Yardstick("VQA", .shortAnswer, .consensus), Yardstick("MCQ", .choices, .choice),
    Yardstick("plain", .question, .text),
  ]

  /// The benchmark of a name, whatever its capitals.
  package static func named(_ name: String) -> Yardstick? {
    all.first { $0.name.lowercased() == name.lowercased() }
  }

  /// The benchmark whose name a file's name begins with, as `ChartQA_TEST.tsv` does. `OCRBench_v2` is another one.
  package static func of(file path: String) -> Yardstick? {
    let name = (path.split(separator: "/").last ?? "").lowercased()
    if name.hasPrefix("ocrbench_v2") { return nil }
    return all.first { yardstick in
      let begin = yardstick.name.lowercased()
      return name.hasPrefix(begin) && ["_", ".", "-"].contains(name.dropFirst(begin.count).first)
    }
  }
}

import VL2Run

/// The rule of DocVQA and InfographicVQA: how much of the answer would have to be typed anew (average normalised Levenshtein
/// similarity, ANLS), 0 below one half.
///
/// Source: Biten et al., "Scene Text Visual Question Answering", arXiv:1905.13648, section 4; as VLMEvalKit has it in
/// `vlmeval/dataset/utils/vqa_eval.py` (`anls_compute`, `hit_calculate`): texts are compared in small letters with single
/// spaces, and the distance is divided by the length of the longer text as it was written.
enum EditSimilarity {
  private static let least = 0.5

  static func score(_ answer: String, _ right: [String]) -> Double {
    let best = right.map { similarity($0, answer) }.max() ?? 0
    return best < least ? 0 : best
  }

  private static func similarity(_ right: String, _ answer: String) -> Double {
    let length = max(right.uppercased().codePoints, answer.uppercased().codePoints)
    guard length > 0 else { return 1 }
    let (one, other) = (Array(right.pythonFolded.unicodeScalars), Array(answer.pythonFolded.unicodeScalars))
    // No need to count what is below one half at the least, which a huge cell would make long.
    let fewest = abs(one.count - other.count)
    if 1 - Double(fewest) / Double(length) < least { return 0 }
    return 1 - Double(distance(one, other)) / Double(length)
  }

  /// The fewest characters to insert, delete or replace.
  private static func distance(_ one: [Unicode.Scalar], _ other: [Unicode.Scalar]) -> Int {
    var row = Array(0...one.count)
    for (i, scalar) in other.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for k in one.indices {
        let above = row[k + 1]
        row[k + 1] = scalar == one[k] ? diagonal : 1 + min(diagonal, above, row[k])
        diagonal = above
      }
    }
    return row[one.count]
  }
}

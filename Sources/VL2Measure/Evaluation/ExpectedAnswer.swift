import VL2Base
import VL2Run

/// The answers that count as right for an item. `docs/EVALUATING.md` specifies the rules.
package struct ExpectedAnswer: Sendable {
  /// How an answer is compared; the raw values are those of an item's `match`.
  package enum Match: String, Sendable, CaseIterable { case text, boxes, json }

  /// The smallest overlap, as intersection over union, at which a box counts as found.
  package static let leastOverlap = 0.5

  private enum Accepted: Sendable {
    case text([AnswerText])
    case boxes([[GroundedSpan]])
    case json([JSONValue])
  }

  private let accepted: Accepted

  /// - Parameter value: an item's `answer`: one accepted answer, or a list of them.
  /// - Throws: `ItemProblem`.
  init(_ value: JSONValue, match: Match) throws {
    let values: [JSONValue]
    if case .array(let list) = value { values = list } else { values = [value] }
    guard !values.isEmpty else { throw ItemProblem("answer is an empty list", "give at least one") }
    switch match {
    case .text:
      accepted = .text(
        try values.map {
          let text = AnswerText(try Self.string($0))
          guard !text.isEmpty else { throw ItemProblem("answer is empty", "no answer could match it") }
          return text
        })
    case .boxes:
      accepted = .boxes(
        try values.map {
          let spans = GroundedSpan.parse(try Self.string($0))
          guard !spans.isEmpty else {
            throw ItemProblem(
              "answer has no boxes", "write <|ref|>NAME<|/ref|><|det|>[[x1, y1, x2, y2]]<|/det|>")
          }
          return spans
        })
    case .json:
      accepted = .json(
        try values.map { value in
          guard case .string(let bytes) = value else { return value }
          do {
            return try JSONReader.read(bytes)
          } catch let failure as JSONReader.Failure {
            throw ItemProblem("answer is not JSON, byte \(failure.offset): \(failure.problem)")
          }
        })
    }
  }

  private static func string(_ value: JSONValue) throws -> String {
    guard case .string(let bytes) = value else {
      throw ItemProblem("answer is \(value.kind), not a string or a list of strings")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Whether a model's answer is right.
  package func accepts(_ answer: String) -> Bool {
    switch accepted {
    case .text(let texts): return texts.contains(AnswerText(answer))
    case .boxes(let spans):
      let found = GroundedSpan.parse(answer)
      return spans.contains { Self.agree($0, found) }
    case .json(let values):
      guard let found = try? JSONReader.read(Array(answer.utf8)) else { return false }
      return values.contains { $0.isEquivalent(to: found) }
    }
  }

  /// Whether both have the same number of boxes, and each expected box is paired with a found box of the same
  /// name that overlaps enough. Pairs are made greedily, the best overlap first.
  private static func agree(_ expected: [GroundedSpan], _ found: [GroundedSpan]) -> Bool {
    let expected = named(expected)
    let found = named(found)
    guard expected.count == found.count else { return false }
    var pairs: [(overlap: Double, expected: Int, found: Int)] = []
    for (i, wanted) in expected.enumerated() {
      for (k, box) in found.enumerated() where box.name == wanted.name {
        let overlap = wanted.box.intersectionOverUnion(box.box)
        if overlap >= leastOverlap { pairs.append((overlap, i, k)) }
      }
    }
    pairs.sort { ($1.overlap, $0.expected, $0.found) < ($0.overlap, $1.expected, $1.found) }
    var isMet = [Bool](repeating: false, count: expected.count)
    var isUsed = [Bool](repeating: false, count: found.count)
    for pair in pairs where !isMet[pair.expected] && !isUsed[pair.found] {
      isMet[pair.expected] = true
      isUsed[pair.found] = true
    }
    return isMet.allSatisfy { $0 }
  }

  private static func named(_ spans: [GroundedSpan]) -> [(name: AnswerText, box: GroundedSpan.Box)] {
    spans.flatMap { span in span.boxes.map { (AnswerText(span.label), $0) } }
  }
}

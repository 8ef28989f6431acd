import Glibc
import VL2Base

/// How likely the model thinks each of several given answers is.
///
/// A choice's score is the probability that the model would write exactly this text and then its end token.
/// Because the end token counts too, a choice is told apart from a longer one that begins with it.
public struct ChoiceScores: Sendable {
  public struct Choice: Sendable {
    public var text: String
    /// The probability among the given choices; all add up to 1.
    public var probability: Double
  }

  /// The likeliest first; of equals the one that was given first.
  public var choices: [Choice] = []

  /// The likeliest choice; nil where it is less likely than `probability`.
  public func best(atLeast probability: Double = 0) -> Choice? {
    choices.first.flatMap { $0.probability >= probability ? $0 : nil }
  }

  static let none = ChoiceScores()

  private init() {}

  /// - Parameter logarithms: of each text's probability, one of each.
  init(_ texts: [String], logarithms: [Double]) {
    // The largest logarithm is subtracted first, so that the exponentials of long choices do not all become 0.
    let largest = logarithms.max() ?? 0
    let shares = logarithms.map { exp($0 - largest) }
    let sum = shares.reduce(0, +)
    let scored = zip(texts, shares).map { Choice(text: $0, probability: $1 / sum) }
    choices = scored.enumerated().sorted {
      $0.element.probability != $1.element.probability
        ? $0.element.probability > $1.element.probability : $0.offset < $1.offset
    }.map(\.element)
  }

  /// - Throws: `ChoiceError` for choices that cannot be told apart.
  package static func check(_ texts: [String]) throws {
    guard texts.count > 1 else { throw ChoiceError.tooFew(texts.count) }
    var seen: Set<String> = []
    for text in texts {
      if text.allSatisfy(\.isWhitespace) { throw ChoiceError.empty }
      if !seen.insert(text).inserted { throw ChoiceError.twice(text) }
    }
  }
}

/// A list of choices that cannot be scored.
public enum ChoiceError: ReportableError, Equatable {
  /// Fewer than two choices; the value is how many there are.
  case tooFew(Int)
  case empty
  case twice(String)
  /// The choice does not fit into the context after the prompt.
  case tooLong(String)

  public var kind: ErrorKind { .usage }

  public var problem: String {
    switch self {
    case .tooFew(let count): "choices: \(count) given"
    case .empty: "choices: one of them is empty"
    case .twice(let text): "choices: \"\(text)\" is there twice"
    case .tooLong(let text): "choices: \"\(text)\" does not fit into the model's context after the question"
    }
  }

  public var hint: Hint {
    switch self {
    case .tooFew: "give at least two"
    case .empty: "give texts"
    case .twice: "give it once"
    case .tooLong: "give a shorter one"
    }
  }
}

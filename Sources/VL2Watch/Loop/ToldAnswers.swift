import VL2Base
import VL2Run

/// Of one question: which answer was told last, and which one may be told next.
struct ToldAnswers {
  /// What to do with an answer.
  enum Verdict: Equatable {
    case tell
    case keep
    /// It is another one than was told, and has to hold for more frames.
    case askAgain
  }

  private var told: String?
  private var candidate: String?
  private var count = 0

  /// - Parameter answer: nil where no choice was likely enough.
  mutating func judge(_ answer: String?, of question: WatchQuestion) -> Verdict {
    guard let answer else {
      (candidate, count) = (nil, 0)
      return question.telling == .always ? .tell : .keep
    }
    count = answer == candidate ? min(count + 1, question.holds) : 1
    candidate = answer
    if question.telling == .changes, answer == told { return .keep }
    guard count >= question.holds else { return .askAgain }
    told = answer
    return .tell
  }
}

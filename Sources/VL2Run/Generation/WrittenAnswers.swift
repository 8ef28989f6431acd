/// The answers that were written lately, and their tokens.
///
/// A client sends a conversation back as text. An answer whose text is the same is then read as the tokens that the
/// model wrote: tokenising its text may give others, its boxes are special tokens, and what was read before would
/// have to be read again.
package struct WrittenAnswers {
  /// The most bytes of all answers, and what one takes besides its text and tokens.
  private static let limit = 256 << 10
  private static let overhead = 256

  private struct Answer {
    var tokens: [Int]
    var bytes: Int
    var use: Int
  }

  /// By the bytes of their texts: characters that look alike are not the same.
  private var answers: [[UInt8]: Answer] = [:]
  private var bytes = 0
  private var uses = 0

  package init() {}

  /// - Parameter text: exactly what the tokens say.
  package mutating func add(_ text: String, tokens: [Int]) {
    // Turns lose the white space at their ends.
    let key = Array(text.strippedAsPython.utf8)
    remove(key)
    uses += 1
    let answer = Answer(
      tokens: tokens, bytes: Self.overhead + key.count + tokens.count * MemoryLayout<Int>.stride, use: uses)
    guard !key.isEmpty, answer.bytes <= Self.limit else { return }
    answers[key] = answer
    bytes += answer.bytes
    while bytes > Self.limit, let oldest = answers.min(by: { $0.value.use < $1.value.use }) {
      remove(oldest.key)
    }
  }

  /// The tokens of an answer; nil where no answer had this text.
  package func tokens(of text: String) -> [Int]? { answers[Array(text.strippedAsPython.utf8)]?.tokens }

  private mutating func remove(_ key: [UInt8]) {
    if let answer = answers.removeValue(forKey: key) { bytes -= answer.bytes }
  }
}

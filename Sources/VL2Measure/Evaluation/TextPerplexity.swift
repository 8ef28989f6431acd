import VL2Base
import VL2Quant
import VL2Run

/// How well a model foresees a text, and, with a reference, how near its distributions are to that one's.
///
/// The text's tokens are cut into windows. In each the model reads the begin token, then the window's tokens, and says
/// at every place how likely each token of the vocabulary is to come next. All tokens of the text count but the first of
/// each window, before which nothing stands but the begin token: in a window of n tokens, the begin token among them,
/// n - 2. Both figures are over the same places. A last window that is shorter counts if one token of it does.
///
/// Perplexity is exp of the mean negative log likelihood of these tokens, in nats; the divergence of a model q from a
/// reference p is KL(p || q), the sum over the vocabulary of p ln(p / q), in nats, as a mean over these places.
package final class TextPerplexity {
  /// The tokens of a window with the begin token, unless somebody asks for another number.
  package static let defaultWindow = 256
  /// The fewest that hold a token that counts.
  package static let smallestWindow = 3
  /// The most bytes of a text: what is tokenised lies in memory.
  package static let longestText = 64 << 20

  /// Rows whose logits are in memory at once; for a vocabulary of 129,280 8 MB.
  private static let rowsAtOnce = 16

  private let model: Model
  private let reference: Model?
  private let window: Int

  /// What came of one window.
  package struct Window: Sendable {
    /// Tokens that count.
    package var tokens = 0
    /// Of the model, in nats, summed.
    package var negativeLogLikelihood = 0.0
    /// What the reference makes of the same tokens; 0 without one, as all that follows.
    package var referenceLikelihood = 0.0
    package var divergence = 0.0
    package var largestDivergence = 0.0
    /// Places at which both hold the same token to be the likeliest.
    package var agreeing = 0
  }

  /// - Parameter window: tokens of a window, the begin token among them.
  /// - Throws: `ComparisonError` if the models do not have the same tokens, `PerplexityError` for a window that is too
  ///   short or does not fit into a context.
  package init(_ model: Model, reference: Model? = nil, window: Int = defaultWindow) throws {
    if let reference { try ModelComparison.check(model, reference) }
    let most = min(model.contextLength, reference?.contextLength ?? .max)
    guard (Self.smallestWindow...max(Self.smallestWindow, most)).contains(window) else {
      throw PerplexityError.window(window, most: most)
    }
    (self.model, self.reference, self.window) = (model, reference, window)
  }

  /// The windows of a text: ids, the begin token first. Special tokens in it are text like any other.
  ///
  /// - Throws: `FileError` for a file that is missing, too long, not UTF-8, or too short to hold a token that counts.
  package func windows(ofTextAt path: String) throws -> [[Int]] {
    let file = try InputFile(path: path)
    guard file.length <= Self.longestText else {
      throw FileError(
        .badData, path,
        "is \(ByteSize(bytes: file.length)) long, at most \(ByteSize(bytes: Self.longestText)) are read",
        "give a part of it")
    }
    let bytes = try file.bytes(0..<file.length)
    guard let text = String(validating: ByteOrderMark.dropped(from: bytes), as: UTF8.self) else {
      throw FileError(.badData, path, "not UTF-8 text", "convert it, for example with iconv")
    }
    let windows = windows(of: model.tokenizer.encode(text, trusted: false))
    guard !windows.isEmpty else {
      throw FileError(
        .badData, path, "holds too little text: two tokens are the least", "give a text of some pages")
    }
    return windows
  }

  /// The windows of a text's ids.
  package func windows(of tokens: [Int]) -> [[Int]] {
    let step = window - 1
    return stride(from: 0, to: tokens.count, by: step).compactMap { first in
      let part = tokens[first..<min(tokens.count, first + step)]
      return part.count >= Self.smallestWindow - 1 ? [model.beginToken] + part : nil
    }
  }

  /// Measures one window.
  ///
  /// - Throws: `PackedFileError` and `MemoryBudgetError` as a prompt does, `PerplexityError` where a model computes what is
  ///   no number.
  package func measure(_ tokens: [Int]) throws -> Window {
    let mine = try read(tokens, by: model)
    let theirs = try reference.map { try read(tokens, by: $0) }
    defer {
      model.releaseScratch()
      reference?.releaseScratch()
      withExtendedLifetime((mine, theirs)) {}
    }
    var result = Window()
    // What comes after the last place is not known, and the first place has seen nothing.
    let places = 1..<tokens.count - 1
    for first in stride(from: places.lowerBound, to: places.upperBound, by: Self.rowsAtOnce) {
      let part = first..<min(places.upperBound, first + Self.rowsAtOnce)
      let logits = model.decoder.logits(mine.rows.slice(part))
      let others = theirs.flatMap { theirs in reference?.decoder.logits(theirs.rows.slice(part)) }
      for row in 0..<part.count {
        try add(
          logits[row], others?[row], count: logits.columns, next: tokens[first + row + 1], to: &result)
      }
    }
    return result
  }

  private func read(_ tokens: [Int], by model: Model) throws -> (reading: Reading, rows: Rows) {
    try model.beginRequest()
    let reading = try Reading(tokens: tokens, written: 0, model: model)
    return (reading, try reading.rows(chunk: model.decoder.chunk))
  }

  /// Adds one place: the logits of the model and of the reference, [count], and the token that comes next.
  private func add(
    _ q: UnsafeMutablePointer<Float>, _ p: UnsafeMutablePointer<Float>?, count: Int, next: Int,
    to result: inout Window
  ) throws {
    let mine = LogitRow(UnsafeBufferPointer(start: q, count: count))
    guard mine.logSum.isFinite else { throw PerplexityError.noNumber(model.file.path) }
    result.tokens += 1
    result.negativeLogLikelihood -= mine.logProbability(next)
    guard let p, let reference else { return }
    let theirs = LogitRow(UnsafeBufferPointer(start: p, count: count))
    guard theirs.logSum.isFinite else { throw PerplexityError.noNumber(reference.file.path) }
    result.referenceLikelihood -= theirs.logProbability(next)
    let divergence = theirs.divergence(from: mine)
    result.divergence += divergence
    result.largestDivergence = max(result.largestDivergence, divergence)
    result.agreeing += mine.likeliest == theirs.likeliest ? 1 : 0
  }
}

/// A text that cannot be measured.
package enum PerplexityError: ReportableError, Equatable {
  case window(Int, most: Int)
  case noNumber(String)

  package var kind: ErrorKind {
    switch self {
    case .window: .usage
    case .noNumber: .badData
    }
  }

  package var problem: String {
    switch self {
    case .window(let window, let most):
      "a window of \(window) tokens: \(TextPerplexity.smallestWindow) to \(most) are possible"
    case .noNumber(let path): "\(path): computes logits that are no numbers"
    }
  }

  package var hint: Hint {
    switch self {
    case .window: "raise \(.context) for longer ones"
    case .noNumber: "look for damage with 'vl2-convert verify'"
    }
  }
}

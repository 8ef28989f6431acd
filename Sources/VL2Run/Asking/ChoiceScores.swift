import Foundation
import SIMDKernels
import VL2Base

/// How likely the model thinks each of several given answers is.
public struct ChoiceScores: Sendable {
  public struct Choice: Sendable {
    public var text: String
    /// The probability among the given choices; all add up to 1.
    public var probability: Double
  }

  /// The likeliest first.
  public var choices: [Choice]
  public var promptTokens: Int
  /// Tiles that went through the vision tower.
  public var tiles: Int
  public var seconds: Session.StageSeconds
  public var memory: MemoryPeaks

  /// The likeliest choice; nil where it is less likely than `probability`.
  public func best(atLeast probability: Double = 0) -> Choice? {
    choices.first.flatMap { $0.probability >= probability ? $0 : nil }
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

extension Session {
  /// Scores given answers instead of writing one.
  ///
  /// A choice's score is the probability that the model would write exactly this text and then its end token.
  /// Because the end token counts too, a choice is told apart from a longer one that begins with it.
  /// `request.sampling`, `schema` and `maxTokens` have no effect.
  ///
  /// - Throws: `ChoiceError`, and what `answer` throws.
  public func choose(
    among choices: [String], _ request: Request, onProgress: (Progress) throws -> Void = { _ in }
  ) throws -> ChoiceScores {
    guard choices.count > 1 else { throw ChoiceError.tooFew(choices.count) }
    var texts: Set<String> = []
    for choice in choices {
      if choice.allSatisfy(\.isWhitespace) { throw ChoiceError.empty }
      if !texts.insert(choice).inserted { throw ChoiceError.twice(choice) }
    }
    let written = choices.map { model.tokenizer.encode($0) + [model.endToken] }
    var seconds = StageSeconds()
    var meter = MemoryMeter()
    var request = request
    request.maxTokens = written.map(\.count).max() ?? 1
    let weights: [Double]
    let prefilled: Prefilled
    do {
      try model.beginRequest()
      prefilled = try prefill(
        request, plan(request), seconds: &seconds, meter: &meter, onProgress: onProgress)
      weights = try measure(&seconds.decode) { try logProbabilities(of: written, choices, after: prefilled) }
    } catch {
      promptCache?.clear()
      throw error
    }
    meter.sample()
    // The largest logarithm is subtracted first, so that the exponentials of long choices do not all become 0.
    let largest = weights.max() ?? 0
    let shares = weights.map { exp($0 - largest) }
    let sum = shares.reduce(0, +)
    let scored = zip(choices, shares).map { ChoiceScores.Choice(text: $0, probability: $1 / sum) }
    return ChoiceScores(
      choices: scored.enumerated().sorted {
        $0.element.probability != $1.element.probability
          ? $0.element.probability > $1.element.probability : $0.offset < $1.offset
      }.map(\.element),
      promptTokens: prefilled.promptTokens, tiles: prefilled.tiles, seconds: seconds, memory: meter.peaks)
  }

  /// The logarithm of the probability of each text.
  private func logProbabilities(of texts: [[Int]], _ names: [String], after prefilled: Prefilled) throws
    -> [Double]
  {
    let start = prefilled.cache.length
    for (text, name) in zip(texts, names) where text.count - 1 > prefilled.cache.capacity - start {
      throw ChoiceError.tooLong(name)
    }
    var sums = prefilled.logits.logProbabilities(of: texts.map { $0[0] })
    let hidden = model.config.language.hiddenSize
    let buffer = AlignedBuffer()
    defer { withExtendedLifetime(buffer) {} }
    for (index, text) in texts.enumerated() where text.count > 1 {
      let rows = Rows(buffer.reserve((text.count - 1) * hidden), count: text.count - 1, columns: hidden)
      for (row, token) in text.dropLast().enumerated() { try model.decoder.embed(token, into: rows[row]) }
      try model.decoder.forward(rows, cache: prefilled.cache, answers: [0..<rows.count])
      prefilled.cache.truncate(to: start)
      for row in 0..<rows.count {
        let logits = model.decoder.logits(rows.slice(row..<row + 1))
        sums[index] += logits.logProbabilities(of: [text[row + 1]])[0]
      }
    }
    return sums
  }
}

extension Rows {
  /// The logarithm of the probability of each token, from the logits in the last row, which are overwritten.
  func logProbabilities(of tokens: [Int]) -> [Double] {
    let kernels = vl2_kernels_active().pointee
    let row = lastRow
    guard let base = row.baseAddress else { return tokens.map { _ in 0 } }
    let likeliest = kernels.argmax(base, row.count)
    let gaps = tokens.map { Double(row[$0]) - Double(row[likeliest]) }
    kernels.softmax(base, row.count)
    // A probability may be too small for a float32, so its logarithm is computed from the logit.
    return gaps.map { $0 + log(Double(row[likeliest])) }
  }
}

import VL2Quant

/// Cuts text into the pieces that byte pairs are merged in: the pre-tokeniser.
///
/// Each step is one published regular expression; its matches and the stretches between them become pieces,
/// which the next step cuts further. A piece's ends are text ends to the steps after it.
struct TextSplitter {
  var steps: [SplitterKind]

  /// Calls `body` with the byte range of each piece of `text[range]`, in order.
  func forEachPiece(of text: [UInt8], in range: Range<Int>, _ body: (Range<Int>) -> Void) {
    let characters = ClassifiedText(text, range)
    split(characters, 0..<characters.traits.count, steps[...]) {
      body(characters.offsets[$0.lowerBound]..<characters.offsets[$0.upperBound])
    }
  }

  private func split(
    _ text: ClassifiedText, _ range: Range<Int>, _ steps: ArraySlice<SplitterKind>,
    _ body: (Range<Int>) -> Void
  ) {
    guard let step = steps.first else { return body(range) }
    let rest = steps.dropFirst()
    var unmatched = range.lowerBound
    var index = step.firstPlace(in: text.traits, range)
    while index < range.upperBound {
      let end = step.matchEnd(in: text.traits, at: index, limit: range.upperBound)
      guard end > index else {
        index += 1
        continue
      }
      if unmatched < index { split(text, unmatched..<index, rest, body) }
      split(text, index..<end, rest, body)
      unmatched = end
      index = end
    }
    if unmatched < range.upperBound { split(text, unmatched..<range.upperBound, rest, body) }
  }
}

extension SplitterKind {
  typealias Traits = ClassifiedText.Traits

  /// Where the first match may begin. White space at the end is found backwards from the end: trying every
  /// space would take time that grows with the square of their number.
  fileprivate func firstPlace(in text: [Traits], _ range: Range<Int>) -> Int {
    guard self == .trailingSpaces else { return range.lowerBound }
    return range.upperBound - text[range].reversed().prefix { $0.contains(.whitespace) }.count
  }

  /// The end of the expression's match that begins at `start`; `start` itself where none begins there. The
  /// text ends at `limit`.
  fileprivate func matchEnd(in text: [Traits], at start: Int, limit: Int) -> Int {
    switch self {
    case .numbersOfThree: run(of: .number, in: text, from: start, limit: min(limit, start + 3))
    case .hanAndKana: run(of: .hanOrKana, in: text, from: start, limit: limit)
    case .words: wordEnd(in: text, at: start, limit: limit)
    case .lineEnds: text[start].contains(.lineEnd) ? start + 1 : start
    case .casedWords: spacedRun(of: .casedLetter, in: text, from: start, limit: limit)
    case .signs: spacedRun(of: .sign, in: text, from: start, limit: limit)
    case .trailingSpaces: run(of: .whitespace, in: text, from: start, limit: limit)
    case .uncasedScripts: run(of: .uncasedScript, in: text, from: start, limit: limit)
    case .singleNumerals: run(of: .singleNumeral, in: text, from: start, limit: min(limit, start + 1))
    }
  }

  /// The end of the run of characters with any of `traits` that begins at `start`.
  private func run(of traits: Traits, in text: [Traits], from start: Int, limit: Int) -> Int {
    var end = start
    while end < limit, text[end].meets(traits) { end += 1 }
    return end
  }

  /// The end of a run that may have one white space before it.
  private func spacedRun(of traits: Traits, in text: [Traits], from start: Int, limit: Int) -> Int {
    if text[start].contains(.whitespace) {
      let end = run(of: traits, in: text, from: start + 1, limit: limit)
      if end > start + 1 { return end }
    }
    return run(of: traits, in: text, from: start, limit: limit)
  }

  /// The alternatives of `words` in their order; the first that matches counts.
  private func wordEnd(in text: [Traits], at start: Int, limit: Int) -> Int {
    let first = text[start]
    // [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+
    if first.contains(.asciiPunctuation) {
      let end = run(of: .asciiLetter, in: text, from: start + 1, limit: limit)
      if end > start + 1 { return end }
    }
    // [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
    let word: Traits = [.letter, .mark]
    if !first.meets([.lineEnd, .letter, .punctuationOrSymbol]) {
      let end = run(of: word, in: text, from: start + 1, limit: limit)
      if end > start + 1 { return end }
    }
    if first.meets(word) { return run(of: word, in: text, from: start, limit: limit) }
    //  ?[\p{P}\p{S}]+[\r\n]*
    let signs = first.contains(.space) ? start + 1 : start
    let signsEnd = run(of: .punctuationOrSymbol, in: text, from: signs, limit: limit)
    if signsEnd > signs { return run(of: .lineEnd, in: text, from: signsEnd, limit: limit) }
    // \s*[\r\n]+  then  \s+(?!\S)  then  \s+
    let spaceEnd = run(of: .whitespace, in: text, from: start, limit: limit)
    if let lineEnd = text[start..<spaceEnd].lastIndex(where: { $0.contains(.lineEnd) }) { return lineEnd + 1 }
    return spaceEnd == limit || spaceEnd <= start + 1 ? spaceEnd : spaceEnd - 1
  }
}

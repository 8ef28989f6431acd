/// A text of one line that grows, and what of it fits into a number of characters: whole sentences where at least a third of
/// the room is filled with them, else whole words and an ellipsis. What is said of its beginning stays true as it grows.
package struct FittingText {
  /// The most characters, as people count them.
  package let limit: Int
  /// Everything so far, with single spaces and without control characters.
  package private(set) var whole = ""
  private var given = ""

  package init(limit: Int) { self.limit = limit }

  /// Adds to the end.
  package mutating func append(_ text: String) {
    given += text
    whole = UntrustedText.line(given).split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// Whether nothing that is added can change the result.
  package var isFull: Bool { whole.count > limit + 1 }

  /// Whether the result leaves something out.
  package var isShortened: Bool { whole.count > limit }

  /// What fits. Empty where not even the first word does.
  package var result: String {
    guard isShortened else { return whole }
    let end = Self.sentenceEnds(whole).last { $0 <= limit } ?? 0
    if end * 3 >= limit { return String(whole.prefix(end)) }
    // A character is left for the ellipsis.
    let letters = Array(whole.prefix(limit))
    let word = (1..<limit).last { Self.isBetweenWords(letters[$0 - 1], letters[$0]) }
    guard let word else { return "" }
    var text = letters[..<word]
    while let last = text.last, last == " " || ",;:-–—(".contains(last) { text.removeLast() }
    return text.isEmpty ? "" : String(text) + "…"
  }

  /// Sentences at the beginning that are whole and fit, without the first so many characters: what can be spoken while the
  /// rest is written.
  ///
  /// - Parameter done: characters; afterwards also those that are returned.
  package func sentences(after done: inout Int) -> String? {
    // What follows a sentence tells that it has ended.
    guard let end = Self.sentenceEnds(whole).last(where: { $0 <= limit && $0 < whole.count }), end > done
    else { return nil }
    defer { done = end }
    return String(whole.prefix(end).dropFirst(done)).trimmed()
  }

  // MARK: where texts can be cut

  /// How many characters stand before each end of a sentence.
  private static func sentenceEnds(_ text: String) -> [Int] {
    var splitter = SentenceSplitter(longest: .max)
    let scalars = text.unicodeScalars
    var (place, ends): (String.Index, [Int]) = (scalars.startIndex, [])
    func add(_ sentence: String) {
      scalars.formIndex(&place, offsetBy: sentence.unicodeScalars.count)
      // An accent behind a full stop is no end that people see.
      if let end = place.samePosition(in: text) { ends.append(text.distance(from: text.startIndex, to: end)) }
      if place < scalars.endIndex, scalars[place].properties.isWhitespace { scalars.formIndex(after: &place) }
    }
    for sentence in splitter.take(text) { add(sentence) }
    if splitter.isWhole, let rest = splitter.rest() { add(rest) }
    return ends
  }

  private static func isBetweenWords(_ left: Character, _ right: Character) -> Bool {
    left == " " || right == " " || left.isWrittenWithoutSpaces || right.isWrittenWithoutSpaces
  }
}

extension Character {
  /// Whether words of its script stand without spaces between them: Chinese, Japanese, Thai and their neighbours.
  fileprivate var isWrittenWithoutSpaces: Bool {
    switch unicodeScalars.first?.value ?? 0 {
    case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3001...0x30FF, 0x3400...0x9FFF, 0xF900...0xFAFF,
      0xFF01...0xFF60, 0x20000...0x3FFFF:
      true
    default: false
    }
  }
}

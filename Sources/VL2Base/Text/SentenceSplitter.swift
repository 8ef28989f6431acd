/// Cuts a text into sentences while it is written.
///
/// A sentence ends at a line's end, at `。！？` of Chinese and Japanese, and at `. ! ? …` with a space behind: not in 3.5, nor
/// after a single letter (e.g., J. Smith), a short title (Dr.) or the number of a list. So the last one is known to have
/// ended only when the text has. One that is too long is cut at a space.
package struct SentenceSplitter {
  /// The most bytes of a sentence as UTF-8 that programs which speak take: their lines have a thousand.
  package static let longest = 800

  private enum Ending {
    case none
    /// If a space follows.
    case perhaps
    case surely
  }

  private let longest: Int
  private var pending: [Unicode.Scalar] = []
  private var bytes = 0
  /// How the end of `pending` may end a sentence.
  private var ending = Ending.none

  /// - Parameter longest: the most bytes of a sentence as UTF-8; a longer one is cut.
  package init(longest: Int = Self.longest) { self.longest = longest }

  /// Whether what is left would be a whole sentence if the text ended here.
  package var isWhole: Bool { ending != .none }

  /// Takes more of the text, and gives the sentences that ended in it, without the spaces around them.
  package mutating func take(_ text: String) -> [String] {
    var sentences: [String] = []
    for scalar in text.unicodeScalars { take(scalar, &sentences) }
    return sentences
  }

  /// What is left at the end of the text; nil for nothing.
  package mutating func rest() -> String? {
    defer { (pending, bytes, ending) = ([], 0, .none) }
    // It begins with no space. By scalars: with an accent behind it a space would be a character and yet a space.
    guard let last = pending.lastIndex(where: { !$0.properties.isWhitespace }) else { return nil }
    return String(String.UnicodeScalarView(pending[...last]))
  }

  private mutating func take(_ scalar: Unicode.Scalar, _ sentences: inout [String]) {
    if Self.lineEnds.contains(scalar) { return end(&sentences) }
    let isEnd = Self.ends.contains(scalar) || Self.sureEnds.contains(scalar)
    if ending != .none, !isEnd, !Self.closings.contains(scalar) {
      if ending == .surely || scalar.properties.isWhitespace {
        end(&sentences)
      } else {
        ending = .none
      }
    }
    if bytes + UTF8.width(scalar) > longest { cut(&sentences) }
    if pending.isEmpty, scalar.properties.isWhitespace { return }
    if Self.sureEnds.contains(scalar) {
      ending = .surely
    } else if isEnd, ending == .none, scalar != "." || !isAbbreviation {
      ending = .perhaps
    }
    pending.append(scalar)
    bytes += UTF8.width(scalar)
  }

  private mutating func end(_ sentences: inout [String]) {
    if let sentence = rest() { sentences.append(sentence) }
  }

  /// Ends a sentence that is too long at its last space, or here.
  private mutating func cut(_ sentences: inout [String]) {
    guard let space = pending.lastIndex(where: \.properties.isWhitespace) else { return end(&sentences) }
    let left = pending[(space + 1)...]
    let ending = ending
    pending.removeSubrange(space...)
    end(&sentences)
    pending = Array(left)
    bytes = left.reduce(0) { $0 + UTF8.width($1) }
    self.ending = left.isEmpty ? .none : ending
  }

  /// Whether a full stop after `pending` belongs to its last word, or the number of a list.
  private var isAbbreviation: Bool {
    if pending.allSatisfy(\.properties.isNumber) { return !pending.isEmpty }
    let word = pending.reversed().prefix(7).prefix { $0.properties.isAlphabetic }.reversed()
    let before = pending.dropLast(word.count).last
    guard before.map({ $0.properties.isWhitespace || Self.openings.contains($0) }) ?? true else {
      return false
    }
    // Of writing without cases, one letter is a word.
    if word.count == 1 { return word.allSatisfy { $0.properties.isUppercase || $0.properties.isLowercase } }
    return Self.titles.contains(String(String.UnicodeScalarView(word)).lowercased())
  }

  private static let lineEnds: Set<Unicode.Scalar> = [
    "\n", "\r", "\u{0B}", "\u{0C}", "\u{85}", "\u{2028}", "\u{2029}",
  ]
  private static let ends: Set<Unicode.Scalar> = [".", "!", "?", "…", "‽"]
  private static let sureEnds: Set<Unicode.Scalar> = ["。", "！", "？", "｡", "．"]
  private static let closings: Set<Unicode.Scalar> = [
    "\"", "'", ")", "]", "}", "”", "“", "’", "»", "«", "›", "」", "』", "）", "】", "》",
  ]
  /// What a word may follow.
  private static let openings: Set<Unicode.Scalar> = [".", "(", "[", "\"", "“", "«", "„"]
  private static let titles: Set<String> = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "ca", "approx", "nr",
  ]
}

extension Unicode.Scalar.Properties {
  fileprivate var isNumber: Bool { numericType != nil }
}

/// Where things are in the tokeniser section of a packed file. `docs/FORMAT.md` specifies every byte; all
/// numbers are unsigned 32-bit, little-endian.
package enum TokenizerLayout {
  package static let magic: [UInt8] = Array("VL2TOKEN".utf8)
  package static let version: UInt32 = 1
  package static let headLength = 128

  /// Byte offsets of the head's fields.
  package enum Field {
    package static let version = 8
    package static let sectionLength = 12
    package static let count = 16
    package static let beginToken = 20
    package static let endToken = 24
    package static let imageToken = 28
    package static let longestProbe = 32
    package static let splitterCount = 36
    package static let splitters = 40
    /// Where the places of the tables begin, in the order of `Table`.
    package static let tables = 48
  }

  /// The tables that follow the head. The head states each one's offset and length in bytes.
  package enum Table: Int, CaseIterable {
    /// 256 ids: the token of each byte.
    case byteTokens
    /// `count + 1` offsets into `tokenBytes`.
    case tokenOffsets
    case tokenBytes
    /// Slots of 16 bytes; their number is a power of two. A slot holds left id, right id, rank, id of both
    /// together.
    case merges
    /// 16 bytes for each added token, sorted by text: id, passes, offset and length in `addedText`.
    case addedTokens
    case addedText

    package var field: Int { Field.tables + 8 * rawValue }
  }

  /// Stands in place of an id if there is none.
  package static let none: UInt32 = .max
  package static let mostSplitters = 8
  /// The most bytes that an added token's text may have.
  package static let longestAddedText = 1024
  package static let mergeSlotLength = 16
  package static let addedTokenLength = 16
  /// Largest number of slots that a look-up of a merge may visit.
  package static let longestProbeLimit = 64

  /// The slot at which the search for a pair begins, in a table of `mask + 1` slots.
  package static func slot(left: UInt32, right: UInt32, mask: Int) -> Int {
    var hash = left &* 0x9E37_79B1 ^ right &* 0x85EB_CA77
    hash ^= hash >> 15
    hash = hash &* 0x2C1B_3C6D
    hash ^= hash >> 12
    return Int(hash) & mask
  }

  /// In which pass over the text an added token is searched for: before the other added tokens, or in the
  /// text that is left between them. The values are bits.
  package enum Pass {
    package static let first: UInt32 = 1
    package static let second: UInt32 = 2
  }
}

/// A step of the pre-tokeniser: its matches, and the stretches between them, become separate pieces. Each
/// step is implemented by hand. All but the last are regular expressions, recognised by their exact text. The
/// first three are those of DeepSeek-VL2-Tiny's family, the others those of Small's.
package enum SplitterKind: UInt8, CaseIterable, Sendable {
  /// Up to three numerals.
  case numbersOfThree = 1
  /// Han characters and kana.
  case hanAndKana = 2
  /// Words with the character before them, punctuation, line ends and spaces.
  case words = 3
  /// Each line end by itself.
  case lineEnds = 4
  /// Cased letters with the white space before them.
  case casedWords = 5
  /// Punctuation, and everything else in the same ranges of ASCII and of its full-width forms, with the white
  /// space before it.
  case signs = 6
  /// White space at the end.
  case trailingSpaces = 7
  /// Scripts from U+0800 to the Han characters, and Hangul.
  case uncasedScripts = 8
  /// Each numeral by itself: the library's step `Digits`.
  case singleNumerals = 9

  /// The expression's spellings in published files.
  var patterns: [String] {
    switch self {
    case .numbersOfThree: [#"\p{N}{1,3}"#]
    case .hanAndKana: ["[一-龥\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+"]
    case .words: [Self.words("\r", "\n"), Self.words(#"\r"#, #"\n"#)]
    case .lineEnds: ["[\r\n]", #"[\r\n]"#]
    case .casedWords: [#"\s?["# + CasedLetters.characterClass + "]+"]
    case .signs:
      [#"\s?[!-/:-~"# + "\u{FF01}-\u{FF0F}\u{FF1A}-\u{FF5E}\u{2018}-\u{201F}\u{3000}-\u{3002}]+"]
    case .trailingSpaces: [#"\s+$"#]
    case .uncasedScripts: ["[\u{4E00}-\u{9FA5}\u{800}-\u{4E00}\u{AC00}-\u{D7FF}]+"]
    case .singleNumerals: []
    }
  }

  /// Some files contain the line ends themselves, others their escapes.
  private static func words(_ r: String, _ n: String) -> String {
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^"## + r + n + #"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"#
      + #"| ?[\p{P}\p{S}]+["# + r + n + #"]*|\s*["# + r + n + #"]+|\s+(?!\S)|\s+"#
  }

  /// The splitter that has this regular expression; nil if none has. Compares bytes.
  init?(pattern: [UInt8]) {
    let known = Self.allCases.first { $0.patterns.contains { pattern.elementsEqual($0.utf8) } }
    guard let known else { return nil }
    self = known
  }
}

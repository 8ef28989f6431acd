import VL2Quant

/// A text as the splitters see it: where each character begins, and its traits.
struct ClassifiedText {
  /// What the splitters need to know about a character.
  struct Traits: OptionSet {
    let rawValue: UInt16
    static let letter = Traits(rawValue: 1)
    static let mark = Traits(rawValue: 2)
    static let number = Traits(rawValue: 4)
    static let punctuationOrSymbol = Traits(rawValue: 8)
    static let whitespace = Traits(rawValue: 16)
    static let lineEnd = Traits(rawValue: 32)
    static let space = Traits(rawValue: 64)
    static let asciiLetter = Traits(rawValue: 128)
    static let asciiPunctuation = Traits(rawValue: 256)
    static let hanOrKana = Traits(rawValue: 512)
    static let casedLetter = Traits(rawValue: 1024)
    static let sign = Traits(rawValue: 2048)
    static let uncasedScript = Traits(rawValue: 4096)
    static let singleNumeral = Traits(rawValue: 8192)

    init(rawValue: UInt16) { self.rawValue = rawValue }

    init(_ code: UInt32) {
      let ascii = code < 0x80
      switch UnicodeClass(code) {
      case .letter: self = ascii ? [.letter, .asciiLetter] : .letter
      case .mark: self = .mark
      case .number: self = .number
      case .punctuation, .symbol:
        self = ascii ? [.punctuationOrSymbol, .asciiPunctuation] : .punctuationOrSymbol
      case .whitespace:
        self = .whitespace
        if code == 0x20 { insert(.space) }
        if code == 0x0A || code == 0x0D { insert(.lineEnd) }
      case .other: self = []
      }
      if (0x3040...0x30FF).contains(code) || (0x4E00...0x9FA5).contains(code) { insert(.hanOrKana) }
      if CasedLetters.contains(code) { insert(.casedLetter) }
      switch code {
      case 0x21...0x2F, 0x3A...0x7E, 0xFF01...0xFF0F, 0xFF1A...0xFF5E, 0x2018...0x201F, 0x3000...0x3002:
        insert(.sign)
      default: break
      }
      if (0x800...0x9FA5).contains(code) || (0xAC00...0xD7FF).contains(code) { insert(.uncasedScript) }
      // The library's Digits uses Rust's classes, which include the numerals that Unicode 17.0.0 added.
      if contains(.number) || (0x11DE0...0x11DE9).contains(code) || (0x16FF4...0x16FF6).contains(code) {
        insert(.singleNumeral)
      }
    }

    func meets(_ other: Traits) -> Bool { !isDisjoint(with: other) }
  }

  private static let ascii: [Traits] = (0..<0x80).map { (code: UInt32) in Traits(code) }

  private(set) var traits: [Traits] = []
  /// Byte offset of each character and, last, of the end.
  private(set) var offsets: [Int] = []

  /// Characters of `text[range]`, which is valid UTF-8.
  init(_ text: [UInt8], _ range: Range<Int>) {
    traits.reserveCapacity(range.count)
    offsets.reserveCapacity(range.count + 1)
    var index = range.lowerBound
    while index < range.upperBound {
      offsets.append(index)
      let lead = text[index]
      if lead < 0x80 {
        traits.append(Self.ascii[Int(lead)])
        index += 1
        continue
      }
      let length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
      var code = UInt32(lead) & (0x7F >> UInt32(length))
      for byte in text[index + 1..<min(index + length, range.upperBound)] {
        code = code << 6 | UInt32(byte & 0x3F)
      }
      traits.append(Traits(code))
      index += length
    }
    offsets.append(range.upperBound)
  }
}

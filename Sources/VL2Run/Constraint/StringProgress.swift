/// How far a JSON string is written, but for the number of its characters: `GrammarMachine` counts those, so that a
/// long string has as few states as a short one.
///
/// Characters beyond ASCII are written as they are, in UTF-8. All escapes but `\u` are allowed.
struct StringProgress: Hashable, Sendable {
  private enum Phase: UInt8 {
    case beforeQuote, body, escape
    /// So many bytes of a character are left; they may be any continuation bytes.
    case one, two, three
    /// Like these, but with a smaller range for the next byte. Source: Unicode Standard, table 3-7.
    case afterE0, afterED, afterF0, afterF4
    case done
  }

  private var phase = Phase.beforeQuote
  /// Whether the string has as many characters as it has to have.
  private(set) var isLongEnough = false
  /// Whether it has as many as it may have.
  private(set) var isFull = false

  static let begin = StringProgress()

  var isDone: Bool { phase == .done }
  /// Whether the next byte, unless it ends the string, begins a character.
  var isBetweenCharacters: Bool { phase == .body }

  /// The progress after one more byte; nil where the byte is not allowed there.
  func after(_ byte: UInt8) -> StringProgress? {
    var next = self
    func to(_ phase: Phase, where isRight: Bool) -> StringProgress? {
      guard isRight else { return nil }
      next.phase = phase
      return next
    }
    let isContinuation = (0x80...0xBF).contains(byte)
    switch phase {
    case .beforeQuote: return to(.body, where: byte == UInt8(ascii: "\""))
    case .escape: return to(.body, where: "\"\\/bfnrt".utf8.contains(byte))
    case .one: return to(.body, where: isContinuation)
    case .two: return to(.one, where: isContinuation)
    case .three: return to(.two, where: isContinuation)
    case .afterE0: return to(.one, where: (0xA0...0xBF).contains(byte))
    case .afterED: return to(.one, where: (0x80...0x9F).contains(byte))
    case .afterF0: return to(.two, where: (0x90...0xBF).contains(byte))
    case .afterF4: return to(.two, where: (0x80...0x8F).contains(byte))
    case .done: return nil
    case .body:
      if byte == UInt8(ascii: "\"") { return to(.done, where: isLongEnough) }
      if isFull { return nil }
      switch byte {
      case UInt8(ascii: "\\"): return to(.escape, where: true)
      case 0x20...0x7F: return next
      case 0xC2...0xDF: return to(.one, where: true)
      case 0xE0: return to(.afterE0, where: true)
      case 0xED: return to(.afterED, where: true)
      case 0xE1...0xEF: return to(.two, where: true)
      case 0xF0: return to(.afterF0, where: true)
      case 0xF1...0xF3: return to(.three, where: true)
      case 0xF4: return to(.afterF4, where: true)
      default: return nil
      }
    }
  }

  /// Takes note that so many characters have begun.
  mutating func count(_ characters: Int, least: Int, most: Int?) {
    isLongEnough = isLongEnough || characters >= least
    isFull = isFull || characters >= most ?? .max
  }

  /// The number of characters at which something changes next; nil where nothing does.
  func nextLimit(least: Int, most: Int?) -> Int? {
    if phase == .beforeQuote || phase == .done { return nil }
    return isLongEnough ? (isFull ? nil : most) : least
  }

  /// The fewest bytes that end the string.
  ///
  /// - Parameter missing: characters that it has to have yet, besides the one at work.
  func completion(missing: Int) -> [UInt8] {
    let rest = [UInt8](repeating: UInt8(ascii: "."), count: missing) + [UInt8(ascii: "\"")]
    switch phase {
    case .beforeQuote: return [UInt8(ascii: "\"")] + rest
    case .body: return rest
    case .escape: return [UInt8(ascii: "n")] + rest
    case .one: return [0x80] + rest
    case .two, .afterED: return [0x80, 0x80] + rest
    case .three: return [0x80, 0x80, 0x80] + rest
    case .afterE0: return [0xA0, 0x80] + rest
    case .afterF0: return [0x90, 0x80, 0x80] + rest
    case .afterF4: return [0x80, 0x80, 0x80] + rest
    case .done: return []
    }
  }
}

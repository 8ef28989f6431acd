/// Turns bytes that come token by token into text that goes out in whole characters.
///
/// Bytes that are not UTF-8 become U+FFFD, one for each longest beginning of a character, as in Rust's
/// `from_utf8_lossy` and the Unicode Standard (section 3.9, "substitution of maximal subparts").
package struct TextStream {
  /// The first bytes of a character, at most three; its other bytes have not come yet.
  private var pending: [UInt8] = []

  package init() {}

  /// Takes bytes and returns the characters that are whole now.
  package mutating func append(_ bytes: [UInt8]) -> String {
    let input = pending + bytes
    pending = []
    var output: [UInt8] = []
    output.reserveCapacity(input.count)
    var index = 0
    while index < input.count {
      switch Self.character(in: input[index...]) {
      case .whole(let length):
        output += input[index..<index + length]
        index += length
      case .broken(let length):
        output += UTF8.encodedReplacementCharacter
        index += length
      case .unfinished:
        pending = Array(input[index...])
        index = input.count
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// Ends the text: U+FFFD where it ends within a character, else nothing.
  package mutating func finish() -> String {
    defer { pending = [] }
    return pending.isEmpty ? "" : "\u{FFFD}"
  }

  private enum Beginning {
    case whole(Int)
    /// This many bytes are no character and cannot become one.
    case broken(Int)
    case unfinished
  }

  /// What `bytes`, which are not empty, begin with. Well-formed sequences: Unicode Standard, table 3-7.
  private static func character(in bytes: ArraySlice<UInt8>) -> Beginning {
    let lead = bytes[bytes.startIndex]
    let length: Int
    var allowed: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0x00...0x7F: return .whole(1)
    case 0xC2...0xDF: length = 2
    case 0xE0...0xEF:
      length = 3
      if lead == 0xE0 { allowed = 0xA0...0xBF }
      if lead == 0xED { allowed = 0x80...0x9F }
    case 0xF0...0xF4:
      length = 4
      if lead == 0xF0 { allowed = 0x90...0xBF }
      if lead == 0xF4 { allowed = 0x80...0x8F }
    default: return .broken(1)
    }
    for step in 1..<length {
      guard bytes.startIndex + step < bytes.endIndex else { return .unfinished }
      guard allowed.contains(bytes[bytes.startIndex + step]) else { return .broken(step) }
      allowed = 0x80...0xBF
    }
    return .whole(length)
  }
}

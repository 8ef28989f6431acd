/// The alphabet in which byte-level vocabularies are written: one printable character for each byte.
///
/// Bytes 0x21...0x7E, 0xA1...0xAC and 0xAE...0xFF are written as the code point with the same number, the
/// others, in ascending order, as U+0100 onwards. Source: `bytes_to_unicode` of GPT-2's published encoder.
enum ByteAlphabet {
  /// The code point of each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0...255).map { (byte: UInt8) in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(next) ?? "\u{FFFD}"
      }
    }
  }()

  private static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
    uniqueKeysWithValues: zip(scalars, 0...255))

  /// How the vocabulary writes the token of one byte, in UTF-8.
  static func token(for byte: UInt8) -> [UInt8] { Array(String(Character(scalars[Int(byte)])).utf8) }

  /// The bytes that a vocabulary's token stands for. A token with a character outside the alphabet stands for
  /// its own UTF-8, as in the decoder of the Hugging Face library.
  static func bytes(of token: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(token.count)
    for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
      guard let byte = bytes[scalar] else { return token }
      result.append(byte)
    }
    return result
  }
}

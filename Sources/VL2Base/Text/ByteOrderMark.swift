/// The mark that some editors put before a text in UTF-8 (U+FEFF). It belongs to no text.
package enum ByteOrderMark {
  package static let utf8: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// The bytes of a text without the mark, where there is one.
  package static func dropped<Bytes: Collection<UInt8>>(from bytes: Bytes) -> Bytes.SubSequence {
    bytes.starts(with: utf8) ? bytes.dropFirst(utf8.count) : bytes[...]
  }
}

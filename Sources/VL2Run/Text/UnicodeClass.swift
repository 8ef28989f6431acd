/// What the pre-tokeniser needs to know about a character: the first letter of its general category, or that
/// it is white space. The classes are disjoint. They come from this project's own table of a stated Unicode
/// version, because Swift's categories differ between Swift versions.
package enum UnicodeClass: UInt8 {
  /// Control characters, separators that are no white space, unassigned and private code points.
  case other = 0
  case letter = 1
  case mark = 2
  case number = 3
  case punctuation = 4
  case symbol = 5
  case whitespace = 6

  /// The class of a code point, which is at most U+10FFFF. O(log runs), a look-up for ASCII.
  package init(_ code: UInt32) {
    self = code < 0x80 ? Self.ascii[Int(code)] : Self.inTable(code)
  }

  private static let ascii: [UnicodeClass] = (0..<0x80).map(inTable)

  private static func inTable(_ code: UInt32) -> UnicodeClass {
    // The last run that begins at or before the code point.
    let key = code << 8 | 0xFF
    var low = 0
    var high = UnicodeTables.runs.count
    while low < high {
      let middle = (low + high) / 2
      if UnicodeTables.runs[middle] <= key { low = middle + 1 } else { high = middle }
    }
    return UnicodeClass(rawValue: UInt8(truncatingIfNeeded: UnicodeTables.runs[low - 1])) ?? .other
  }
}

extension Unicode.Scalar {
  /// Whether Python's `str.strip()` removes this character: white space, and the separators U+001C to U+001F.
  package var isPythonSpace: Bool { UnicodeClass(value) == .whitespace || (0x1C...0x1F).contains(value) }
}

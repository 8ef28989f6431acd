import VL2Run

/// What Python's `str` does with texts, for rules that are written in it. Characters are code points, and equal means the
/// same code points; Swift's own comparison takes composed and decomposed letters for equal.
extension String {
  /// `str.split()`: the parts between white space.
  var pythonWords: [String] {
    unicodeScalars.split { $0.isPythonSpace }.map { String($0) }
  }

  /// `' '.join(str.strip().lower().split())`.
  var pythonFolded: String { lowercased().pythonWords.joined(separator: " ") }

  /// `len(str)`.
  var codePoints: Int { unicodeScalars.count }

  func isSame(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }

  /// `part in str`.
  func holds(_ part: String) -> Bool {
    let (bytes, wanted) = (Array(utf8), Array(part.utf8))
    guard let first = wanted.first else { return true }
    guard bytes.count >= wanted.count else { return false }
    return (0...bytes.count - wanted.count).contains { start in
      bytes[start] == first && bytes[start..<start + wanted.count].elementsEqual(wanted)
    }
  }

  /// `str.replace`, of single characters.
  func replacing(_ characters: Set<Unicode.Scalar>, by replacement: String) -> String {
    var text = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if characters.contains(scalar) {
        text += replacement.unicodeScalars
      } else {
        text.append(scalar)
      }
    }
    return String(text)
  }

  /// `float(str)`; nil where Python raises ValueError. Underscores between digits and digits of all scripts count.
  var pythonFloat: Double? {
    var text = ""
    var last: Unicode.Scalar?
    for scalar in strippedAsPython.unicodeScalars {
      if scalar == "_" {
        guard let last, last.isPythonDigit else { return nil }
      } else {
        if last == "_", !scalar.isPythonDigit { return nil }
        if let digit = scalar.decimalDigit {
          text += String(digit)
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
      last = scalar
    }
    if last == "_" { return nil }
    let unsigned = text.hasPrefix("+") || text.hasPrefix("-") ? String(text.dropFirst()) : text
    switch unsigned.lowercased() {
    case "nan": return .nan
    case "inf", "infinity": return text.hasPrefix("-") ? -.infinity : .infinity
    default: break
    }
    // Swift reads what Python does not: hexadecimal numbers, and names of numbers that are none.
    guard
      unsigned.utf8.allSatisfy({
        (0x30...0x39).contains($0) || $0 == 0x2E || $0 | 0x20 == 0x65 || $0 == 0x2B || $0 == 0x2D
      })
    else { return nil }
    // And it wants a digit on both sides of the point, which Python does not.
    return Double(text.paddedAroundPoint)
  }

  private var paddedAroundPoint: String {
    guard let point = utf8.firstIndex(of: UInt8(ascii: ".")) else { return self }
    let (before, after) = (utf8[..<point], utf8[utf8.index(after: point)...])
    func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
    guard isDigit(before.last) || isDigit(after.first) else { return self }
    return String(Substring(before)) + (isDigit(before.last) ? "." : "0.") + (isDigit(after.first) ? "" : "0")
      + String(Substring(after))
  }
}

extension Unicode.Scalar {
  /// `\d` in a regular expression: a decimal digit of any script.
  var isPythonDigit: Bool { decimalDigit != nil }

  /// 0 to 9 of a decimal digit.
  var decimalDigit: Int? {
    guard properties.generalCategory == .decimalNumber else { return nil }
    return properties.numericValue.map { Int($0) }
  }
}

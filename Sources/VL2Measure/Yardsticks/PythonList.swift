/// A list of texts as Python writes it: `['3', "it's"]`. Columns that hold several values are written so.
enum PythonList {
  /// The values of a list of texts and numbers, each as Python's `str()` gives it; nil for what is no such list.
  static func read(_ text: String) -> [String]? {
    var reader = Reader(Array(text.unicodeScalars))
    return reader.list()
  }

  /// Where the texts of a list lie that has texts without escapes alone, as pictures in base64 are; nil for what is no such
  /// list. It takes no memory of the size of the texts.
  static func pieces(of bytes: [UInt8]) -> [Range<Int>]? {
    var place = 0
    func skipSpace() {
      while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
    }
    func take(_ wanted: Unicode.Scalar) -> Bool {
      skipSpace()
      guard place < bytes.count, bytes[place] == UInt8(ascii: wanted) else { return false }
      place += 1
      return true
    }
    var pieces: [Range<Int>] = []
    guard take("[") else { return nil }
    while !take("]") {
      skipSpace()
      guard place < bytes.count, bytes[place] == UInt8(ascii: "'") || bytes[place] == UInt8(ascii: "\"")
      else { return nil }
      let rest = bytes[(place + 1)...]
      guard let end = rest.firstIndex(of: bytes[place]), !bytes[place..<end].contains(UInt8(ascii: "\\"))
      else { return nil }
      pieces.append(place + 1..<end)
      place = end + 1
      guard take(",") || (place < bytes.count && bytes[place] == UInt8(ascii: "]")) else { return nil }
    }
    skipSpace()
    return place == bytes.count ? pieces : nil
  }

  private struct Reader {
    private let scalars: [Unicode.Scalar]
    private var place = 0

    init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

    mutating func list() -> [String]? {
      skipSpace()
      guard take("[") else { return nil }
      var values: [String] = []
      while true {
        skipSpace()
        if take("]") { break }
        guard let value = next == "'" || next == "\"" ? texts() : number() else { return nil }
        values.append(value)
        skipSpace()
        if take(",") { continue }
        guard take("]") else { return nil }
        break
      }
      skipSpace()
      return next == nil ? values : nil
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
      guard next == scalar else { return false }
      place += 1
      return true
    }

    private mutating func skipSpace() {
      while let scalar = next, scalar.isPythonSpace { place += 1 }
    }

    /// A text, or several that stand side by side and are one.
    private mutating func texts() -> String? {
      var whole = ""
      while let mark = next, mark == "'" || mark == "\"" {
        place += 1
        guard let piece = text(until: mark) else { return nil }
        whole += piece
        skipSpace()
      }
      return whole
    }

    private mutating func text(until mark: Unicode.Scalar) -> String? {
      var text = String.UnicodeScalarView()
      while let scalar = next {
        place += 1
        if scalar == mark { return String(text) }
        if scalar == "\n" { return nil }
        guard scalar == "\\" else {
          text.append(scalar)
          continue
        }
        guard let kind = next else { return nil }
        place += 1
        switch kind {
        case "n": text.append("\n")
        case "t": text.append("\t")
        case "r": text.append("\r")
        case "\n": break
        case "\\", "'", "\"": text.append(kind)
        case "x", "u", "U":
          guard let scalar = coded(kind == "x" ? 2 : kind == "u" ? 4 : 8) else { return nil }
          text.append(scalar)
        default:
          // Python leaves a mark that means nothing where it is.
          text.append("\\")
          text.append(kind)
        }
      }
      return nil
    }

    private mutating func coded(_ digits: Int) -> Unicode.Scalar? {
      guard place + digits <= scalars.count else { return nil }
      let code = String(String.UnicodeScalarView(scalars[place..<place + digits]))
      place += digits
      return code.allSatisfy(\.isHexDigit) ? UInt32(code, radix: 16).flatMap { Unicode.Scalar($0) } : nil
    }

    private mutating func number() -> String? {
      let begin = place
      while let scalar = next, scalar != ",", scalar != "]", !scalar.isPythonSpace { place += 1 }
      let text = String(String.UnicodeScalarView(scalars[begin..<place]))
      if ["True", "False", "None"].contains(text) { return text }
      guard let first = text.unicodeScalars.first, first.isASCII, let value = text.pythonFloat,
        value.isFinite,
        text.contains(where: \.isNumber)
      else { return nil }
      guard let whole = Int(text) else { return String(value) }
      // Python has no whole number that begins with a zero.
      return whole != 0 && text.drop { $0 == "-" || $0 == "+" }.first == "0" ? nil : String(whole)
    }
  }
}

/// Text from elsewhere (a file, a person, a model), made fit for the place where it is shown.
package enum UntrustedText {
  /// For an error line: in quotes, at most 60 characters, nothing that would break the line.
  package static func quoted(_ bytes: [UInt8]) -> String { quoted(String(decoding: bytes, as: UTF8.self)) }

  /// The same of a string.
  package static func quoted(_ text: String) -> String {
    var line = "\""
    for (index, scalar) in text.unicodeScalars.enumerated() {
      if index == 60 {
        line += "…"
        break
      }
      switch scalar {
      case "\"", "\\": line += scalar.escaped(asASCII: true)
      case _ where scalar.breaksLine: line += scalar.escaped(asASCII: true)
      default: line.unicodeScalars.append(scalar)
      }
    }
    return line + "\""
  }
}

extension Unicode.Scalar {
  /// Whether it would move a terminal's cursor or end a line: control characters and the two separators.
  package var breaksLine: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
    default: false
    }
  }
}

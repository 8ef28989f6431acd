/// Text from elsewhere (a file, a person, a model), made safe for the place where it is shown.
package enum UntrustedText {
  /// For an error line: in quotes, at most 60 characters, nothing that would break the line.
  package static func quoted(_ bytes: [UInt8]) -> String { quoted(String(decoding: bytes, as: UTF8.self)) }

  /// The same for a string.
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

  /// For a line that is printed without quotes: spaces replace the characters that would break it.
  package static func line(_ text: String) -> String { replacing(text, with: " ") { $0.breaksLine } }

  /// Whether the text can be printed on one line as it is.
  package static func isLine(_ text: String) -> Bool { !text.unicodeScalars.contains { $0.breaksLine } }

  /// For a terminal, which acts on control characters: they become U+FFFD, except line feeds and tabs.
  package static func lines(_ text: String) -> String {
    replacing(text, with: "\u{FFFD}") { $0.isControl && $0 != "\n" && $0 != "\t" }
  }

  private static func replacing(
    _ text: String, with replacement: Unicode.Scalar, where isReplaced: (Unicode.Scalar) -> Bool
  ) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { isReplaced($0) ? replacement : $0 }))
  }
}

extension Unicode.Scalar {
  /// Whether it would move a terminal's cursor, end a line, or change the direction of the text that follows:
  /// control characters, the two separators, and the overrides and isolates of bidirectional text.
  package var breaksLine: Bool {
    switch value {
    case 0x2028...0x202E, 0x2066...0x2069: true
    default: isControl
    }
  }

  /// Unicode's control characters, which are those of ASCII and of ISO 6429.
  fileprivate var isControl: Bool { value < 0x20 || (0x7F..<0xA0).contains(value) }
}

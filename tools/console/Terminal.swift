import Foundation

/// What the terminal can do.
enum Terminal {
  /// Whether somebody types.
  static let isInteractive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1

  enum Style: String {
    case bold = "1"
    case faint = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
  }

  /// `text` in a style where standard output is a terminal that shows it. Source: no-color.org.
  static func styled(_ text: String, _ style: Style) -> String {
    hasColor ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }

  private static let hasColor: Bool = {
    let environment = ProcessInfo.processInfo.environment
    return isatty(STDOUT_FILENO) == 1 && (environment["NO_COLOR"] ?? "").isEmpty
      && environment["TERM"] != "dumb"
  }()

  /// Writes to standard output at once. What `print` writes may come later than what others write.
  static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

  /// A model's text as standard output gets it: on a terminal without control characters, which could do anything
  /// there; elsewhere as it is.
  static func shown(_ text: String) -> String {
    guard isatty(STDOUT_FILENO) == 1 else { return text }
    let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
      let isControl = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
      return isControl ? "\u{FFFD}" : scalar
    }
    return String(String.UnicodeScalarView(scalars))
  }

  /// Columns of the terminal on standard output, 80 where it does not say.
  static var columns: Int {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}

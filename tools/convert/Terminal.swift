import Glibc

/// What a terminal can show.
enum Terminal {
  /// Whether a line on this descriptor may be written over: it is a terminal, and none that says it can do nothing.
  static func isInteractive(_ descriptor: Int32) -> Bool {
    isatty(descriptor) == 1 && variable("TERM") != "dumb"
  }

  /// Whether standard output may have colours: a terminal whose user has not set NO_COLOR (https://no-color.org).
  static let hasColour = isInteractive(STDOUT_FILENO) && variable("NO_COLOR") == nil

  /// Columns of the terminal on this descriptor; 80 where it does not say.
  static func columns(_ descriptor: Int32) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// The value of an environment variable, nil where it is empty or not set.
  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// A bar of `share` (0...1) of `width` characters, in eighths of a character.
  static func bar(_ share: Double, width: Int) -> String {
    let eighths = Int((min(1, max(0, share)) * Double(8 * width)).rounded())
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    return String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
  }

  /// The text in one of the terminal's colours (31...36), where there may be any.
  static func coloured(_ text: String, _ colour: Int) -> String {
    hasColour ? "\u{1B}[\(colour)m\(text)\u{1B}[0m" : text
  }
}

import Glibc
import VL2Base

/// What the terminal can do.
public enum Terminal {
  /// Whether a person types the input and reads the output.
  public static let isInteractive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1

  /// Whether a person reads the output.
  public static let isRead = isatty(STDOUT_FILENO) == 1

  /// Whether the terminal obeys escape sequences. One that does not shows them.
  package static let obeysEscapes = variable("TERM") != "dumb"

  /// Whether a person is watching: then the progress of slow work is shown. In a pipe nothing is shown.
  public static let isWatched = isatty(STDERR_FILENO) == 1 && obeysEscapes

  public enum Style: Int, Sendable {
    case bold = 1
    case faint = 2
    case red = 31
    case green, yellow, blue, magenta, cyan
  }

  /// `text` in a style, if standard output is a terminal and its user has not set NO_COLOR. Source:
  /// no-color.org.
  public static func styled(_ text: String, _ style: Style) -> String {
    hasColor ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }

  private static let hasColor = isRead && obeysEscapes && variable("NO_COLOR") == nil

  /// A model's text as it goes to standard output: on a terminal without control characters, which could do
  /// anything there; elsewhere unchanged.
  public static func shown(_ text: String) -> String {
    isRead ? UntrustedText.lines(text) : text
  }

  /// Columns of the terminal on a descriptor; 80 if it does not say.
  public static func columns(_ descriptor: Int32 = STDOUT_FILENO) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// The value of an environment variable, nil if it is empty or not set.
  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}

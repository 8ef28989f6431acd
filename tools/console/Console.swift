import Glibc
import VL2Base

/// What programs say: results on standard output, everything else on standard error.
public enum Console {
  /// Writes to standard output at once. If that is impossible (a full disk, no reader), nothing more can be
  /// of use: the program ends.
  public static func write(_ text: String) {
    guard let error = put(Array(text.utf8), STDOUT_FILENO) else { return }
    // A reader that has enough, as in `| head -1`, is not an error to report.
    if error != EPIPE {
      tell(
        "standard output: \(String(cString: strerror(error)).lowercased()); write to a place that takes it")
    }
    exit(ExitStatus.inputOutput.rawValue)
  }

  /// Writes a line to standard error, after the program's name. A message stays one line, whatever it quotes.
  public static func tell(_ message: String) { show("\(Program.name): \(UntrustedText.line(message))\n") }

  /// Writes an error's line. It names settings as the options are named.
  public static func tell(_ error: any ReportableError) { tell(error.line(naming: OptionNames.name)) }

  /// Writes text to standard error unchanged.
  public static func show(_ text: String) { _ = put(Array(text.utf8), STDERR_FILENO) }

  /// The error's number if not everything could be written; else nil.
  private static func put(_ bytes: [UInt8], _ descriptor: Int32) -> Int32? {
    var bytes = bytes[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return errno }
      bytes = bytes.dropFirst(count)
    }
    return nil
  }
}

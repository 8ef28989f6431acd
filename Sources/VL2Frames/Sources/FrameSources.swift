import VL2Base

/// What a word that names a camera means.
package enum FrameSources {
  /// The source that a word stands for. Nothing is started.
  ///
  /// - Parameters:
  ///   - word: `-`, `command:LINE`, an address of rtsp or http, or the path of a folder.
  ///   - fromStart: whether the pictures that are in a folder already are frames.
  ///   - interval: seconds from one still to the next.
  /// - Throws: `SourceError`.
  package static func source(
    _ word: String, fromStart: Bool = false, interval: Double = 1
  ) throws(SourceError) -> any FrameSource {
    if word == "-" { return InputSource() }
    if let line = rest(of: word, after: "command:") {
      guard !line.allSatisfy(\.isWhitespace) else {
        throw .malformed(source: word, reason: "there is no command")
      }
      return CommandSource.shell(line)
    }
    let isStream = ["rtsp://", "rtsps://"].contains(where: word.hasPrefix)
    if isStream || ["http://", "https://"].contains(where: word.hasPrefix) {
      // A line feed would end the line of curl's configuration that the address stands in.
      guard UntrustedText.isLine(word), !word.contains(where: \.isWhitespace) else {
        throw .malformed(source: word, reason: "an address has no spaces")
      }
      return isStream ? CommandSource.rtsp(word) : StillSource(word, interval: interval)
    }
    guard let status = FileStatus(word) else {
      throw word.hasPrefix("/dev/") || word.contains("://") ? .unknown(source: word) : .noFolder(path: word)
    }
    guard status.isFolder else { throw .unknown(source: word) }
    return FolderSource(word, fromStart: fromStart)
  }

  private static func rest(of word: String, after scheme: String) -> String? {
    word.hasPrefix(scheme) ? String(word.dropFirst(scheme.count)) : nil
  }
}

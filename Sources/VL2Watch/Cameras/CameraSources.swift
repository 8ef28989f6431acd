import Glibc
import VL2Base
import VL2Frames

/// What a word that names a camera means, those of this computer among them.
package enum CameraSources {
  /// The source that a word stands for. Nothing is started.
  ///
  /// - Parameters:
  ///   - word: the path of a device, or what `FrameSources` reads.
  ///   - wish: of a device; empty for anything else.
  ///   - fromStart: whether the pictures that are in a folder already are frames.
  ///   - looksPerSecond: how often frames are looked at.
  /// - Throws: `SourceError`.
  package static func source(
    _ word: String, _ wish: CameraWish, fromStart: Bool, looksPerSecond: Double
  ) throws(SourceError) -> any FrameSource {
    if isDevice(word) {
      var wish = wish
      wish.rate = wish.rate ?? max(CameraWish.usualRate, looksPerSecond)
      return CameraSource(word, wish)
    }
    guard wish.isEmpty else {
      throw .malformed(source: word, reason: "'size', 'rate' and 'format' are for cameras in /dev alone")
    }
    return try FrameSources.source(word, fromStart: fromStart, interval: 1 / looksPerSecond)
  }

  /// Video4Linux's number for all of its devices.
  private static let major: UInt = 81

  /// Whether a word is the path of a camera, also of one that is not plugged in.
  private static func isDevice(_ word: String) -> Bool {
    var status = stat()
    if stat(word, &status) != 0 { return word.hasPrefix("/dev/") }
    // As gnu_dev_major(3), which Swift does not see.
    let number = UInt(status.st_rdev)
    return status.st_mode & S_IFMT == S_IFCHR && (number >> 8 & 0xFFF | number >> 32 & 0xFFFF_F000) == major
  }
}

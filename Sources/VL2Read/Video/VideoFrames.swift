import VL2Base
import VL2Frames

/// Pictures of a video at even times, as ffmpeg decodes them. At most one is held, whatever the video claims to be: ffmpeg waits
/// until it is taken.
package final class VideoFrames {
  /// A JPEG file's bytes, and what is seen so many seconds after the beginning.
  package struct Sample: Sendable {
    package var seconds: Double
    package var picture: [UInt8]

    package init(seconds: Double, picture: [UInt8]) {
      self.seconds = seconds
      self.picture = picture
    }
  }

  package let path: String
  /// Seconds from one picture to the next.
  private let interval: Double
  private let programs: FilePrograms
  private let child: Child
  private var splitter = JPEGSplitter()
  private var count = 0
  private var isOver = false
  /// How the video ended otherwise than at its end; nil where it did not.
  package private(set) var trouble: String?

  /// What is later is not looked at: no video is so long, but a wrong time in one may say so.
  package static let longest = 24.0 * 3600
  /// More pictures of one video are not looked at.
  package static let most = 100_000
  /// Pixels of a picture's longer side.
  private static let side = 1280
  /// Bytes in which a picture has to come.
  private static let mostBytes = 64 << 20

  /// Starts ffmpeg.
  ///
  /// - Parameter interval: in whole milliseconds.
  /// - Throws: `ReadError`.
  package init(_ path: String, every interval: Double, _ programs: FilePrograms) throws {
    self.path = path
    self.interval = interval
    self.programs = programs
    let milliseconds = Int((interval * 1000).rounded())
    // Rounded up, a picture is the one that is seen at its time, and not one that comes after.
    let filter =
      "fps=fps=1000/\(milliseconds):round=up:start_time=0,"
      + "scale=w='min(\(Self.side),iw)':h='min(\(Self.side),ih)':force_original_aspect_ratio=decrease"
    let words = [
      "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file", "-t",
      "\(Int(Self.longest))", "-i", "file:" + path, "-map", "0:v:0", "-an", "-sn", "-dn", "-vf", filter,
      "-frames:v", "\(Self.most)", "-c:v", "mjpeg", "-q:v", "2", "-f", "image2pipe", "pipe:1",
    ]
    do throws(ChildError) {
      child = try Child(ChildCommand(words, memoryBytes: FilePrograms.memoryBytes))
    } catch {
      throw ReadError(error, path: path, package: "ffmpeg")
    }
  }

  /// The next picture; nil after the last.
  ///
  /// - Throws: `ReadError` where there is none at all or ffmpeg hangs, and what `FilePrograms.check` throws.
  package func next() throws -> Sample? {
    let end = ContinuousClock.now + .seconds(programs.seconds)
    var bytesSince = 0
    while true {
      if let picture = splitter.next() {
        let seconds = Double(count) * interval
        guard count < Self.most, seconds < Self.longest else {
          stop()
          return nil
        }
        count += 1
        return Sample(seconds: seconds, picture: picture)
      }
      if isOver { return nil }
      try programs.check()
      var bytes: [UInt8] = []
      switch child.read(into: &bytes, atMost: 1 << 18, within: 0.2) {
      case .bytes:
        splitter.add(bytes)
        bytesSince += bytes.count
        if bytesSince > Self.mostBytes { throw stalled("wrote \(bytesSince) bytes without a picture") }
      case .nothing: break
      case .over: try finish()
      }
      if ContinuousClock.now > end {
        throw stalled("gave no picture within \(NumberText.general(programs.seconds)) s")
      }
    }
  }

  /// Ends ffmpeg.
  package func stop() {
    isOver = true
    child.end()
  }

  private func stalled(_ reason: String) -> ReadError {
    stop()
    return .stalled(path: path, program: "ffmpeg", reason: reason + " and was ended")
  }

  private func finish() throws {
    isOver = true
    splitter.end()
    let end = child.end()
    guard end != .status(0) || !child.lastLine.isEmpty else { return }
    let said = child.lastLine.isEmpty ? "ffmpeg \(end)" : child.lastLine
    if count == 0, end != .status(0) {
      throw ReadError.refused(path: path, program: "ffmpeg", reason: said)
    }
    trouble = said
  }
}

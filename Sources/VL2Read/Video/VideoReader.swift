import VL2Base
import VL2Frames
import VL2Run

/// Tells what is seen in a video at even times.
package struct VideoReader {
  private let ask: (Picture) async throws -> String
  private let tell: (_ seconds: Double) -> Void

  package static let prompt = "Describe the picture in one sentence."

  /// - Parameters:
  ///   - ask: describes a picture.
  ///   - tell: is told which time is at work.
  package init(ask: @escaping (Picture) async throws -> String, tell: @escaping (_ seconds: Double) -> Void) {
    self.ask = ask
    self.tell = tell
  }

  /// Reads all pictures but the first ones.
  ///
  /// - Parameters:
  ///   - skipping: how many are over.
  ///   - write: takes a line.
  /// - Throws: what `ask` and `write` throw, and what ends the frames.
  package func read(
    _ frames: VideoFrames, skipping: Int, write: (_ line: String, _ isFailure: Bool) async throws -> Void
  ) async throws {
    var done = 0
    var last: (picture: Picture, text: String)?
    while let sample = try frames.next() {
      defer { done += 1 }
      guard done >= skipping else { continue }
      tell(sample.seconds)
      var line: JSONValue = ["time": .text(VideoTime.text(sample.seconds)), "seconds": .real(sample.seconds)]
      var isFailure = false
      do {
        let picture = try Frame(.encoded(sample.picture)).picture()
        // What stands still to the last bit needs no second look.
        let text: String
        if let last, last.picture == picture { text = last.text } else { text = try await ask(picture) }
        last = (picture, text)
        line.append("text", .text(text))
      } catch let error as PictureError {
        isFailure = true
        line.append("error", .text(error.line()))
      }
      try await write(String(decoding: line.json, as: UTF8.self) + "\n", isFailure)
    }
  }
}

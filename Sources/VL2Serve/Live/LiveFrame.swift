import VL2Base
import VL2Run

/// A picture of the camera as those who look on get it. It becomes a JPEG that browsers show when somebody wants it, once.
package final class LiveFrame: Sendable {
  package enum Content: Sendable {
    /// A JPEG as it came from the camera.
    case jpeg([UInt8])
    case picture(Picture)
  }

  private enum State {
    case raw(Content)
    case ready([UInt8])
  }

  /// Counts from 1.
  package let number: Int
  /// Of the picture that is looked at, in which the answers' boxes are.
  package let width: Int
  package let height: Int
  /// When it was taken, as lines say it.
  package let time: String
  private let state: Monitor<State>

  private static let quality = 85

  init(_ content: Content, number: Int, width: Int, height: Int, time: String) {
    self.number = number
    self.width = width
    self.height = height
    self.time = time
    state = Monitor(.raw(content))
  }

  /// The JPEG file. Takes a moment at the first call, in which others wait.
  ///
  /// - Throws: `PictureError`.
  func jpeg() throws -> [UInt8] {
    try state.withLock { state -> [UInt8] in
      let bytes: [UInt8]
      switch state {
      case .ready(let known): return known
      case .raw(.jpeg(let given)): bytes = HuffmanTables.completing(given)
      case .raw(.picture(let picture)):
        bytes = try picture.jpegData(quality: Self.quality, name: "a frame")
      }
      state = .ready(bytes)
      return bytes
    }
  }

  var json: JSONValue {
    [
      "number": .integer(number), "width": .integer(width), "height": .integer(height), "time": .text(time),
    ]
  }
}

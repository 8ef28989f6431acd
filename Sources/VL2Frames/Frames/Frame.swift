import VL2Run

/// A picture of a camera.
package struct Frame: Sendable {
  package enum Content: Sendable {
    /// A JPEG, PNG or WebP file's bytes.
    case encoded([UInt8])
    case decoded(Picture)
  }

  package var content: Content
  /// What messages call it: a file's name; empty for a frame of a stream.
  package var name: String
  package var time: FrameTime

  package init(_ content: Content, name: String = "", time: FrameTime = .now) {
    self.content = content
    self.name = name
    self.time = time
  }

  /// Frames with more pixels are refused: a camera's have fewer, and the memory for one has to be there at any time.
  package static let mostPixels = 40_000_000

  /// Decodes it.
  ///
  /// - Throws: `PictureError` for a broken frame.
  package func picture() throws -> Picture {
    switch content {
    case .decoded(let picture): picture
    case .encoded(let bytes):
      try Picture(data: bytes, name: name.isEmpty ? "a frame" : name, mostPixels: Self.mostPixels)
    }
  }
}

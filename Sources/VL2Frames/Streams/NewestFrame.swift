/// The newest frame of a camera that is faster than whoever looks.
package struct NewestFrame {
  private var frame: Frame?
  /// Frames that were replaced before anybody looked.
  package private(set) var dropped = 0

  package init() {}

  package var isEmpty: Bool { frame == nil }

  package mutating func put(_ newer: Frame) {
    if frame != nil { dropped += 1 }
    frame = newer
  }

  package mutating func take() -> Frame? {
    defer { frame = nil }
    return frame
  }
}

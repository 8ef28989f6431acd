/// A rectangle on a picture, in pixels from its upper left corner.
public struct PixelBox: Sendable, Equatable {
  public var left, top, right, bottom: Int

  public init(left: Int, top: Int, right: Int, bottom: Int) {
    self.left = left
    self.top = top
    self.right = right
    self.bottom = bottom
  }
}

extension Picture {
  /// All of it.
  package var bounds: PixelBox { PixelBox(left: 0, top: 0, right: width, bottom: height) }
}

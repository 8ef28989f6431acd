/// A name in a model's answer with the places where the model sees it:
/// `<|ref|>NAME<|/ref|><|det|>[[x1, y1, x2, y2], ...]<|/det|>`.
public struct GroundedSpan: Sendable, Equatable {
  /// A rectangle on a grid of 0...999 over the whole picture; width and height are scaled separately.
  public struct Box: Sendable, Equatable {
    /// Left, top, right, bottom; `x1 <= x2` and `y1 <= y2`.
    public var x1, y1, x2, y2: Int

    public init(x1: Int, y1: Int, x2: Int, y2: Int) {
      self.x1 = x1
      self.y1 = y1
      self.x2 = x2
      self.y2 = y2
    }
  }

  /// Between `<|ref|>` and `<|/ref|>`, without white space at both ends; empty for boxes that no name precedes.
  public var label: String
  /// In the order of the text, at least one.
  public var boxes: [Box]

  public init(label: String, boxes: [Box]) {
    self.label = label
    self.boxes = boxes
  }
}

extension GroundedSpan.Box {
  /// The area in both boxes divided by the area in either, 0...1. Equal boxes give 1, even without area.
  public func intersectionOverUnion(_ other: Self) -> Double {
    if self == other { return 1 }
    let width = max(0, min(x2, other.x2) - max(x1, other.x1))
    let height = max(0, min(y2, other.y2) - max(y1, other.y1))
    let union = area + other.area - width * height
    return union > 0 ? Double(width * height) / Double(union) : 0
  }

  private var area: Int { (x2 - x1) * (y2 - y1) }
}

extension GroundedSpan.Box {
  /// The box in pixels of an upright picture. An edge lies between pixels: 0 is the picture's left or upper
  /// edge, `width` or `height` its right or lower edge.
  ///
  /// Source: deepseek-ai/DeepSeek-VL2, `inference.py`, `parse_ref_bbox`, which rounds down too.
  public func pixels(width: Int, height: Int) -> PixelBox {
    PixelBox(
      left: x1 * width / 999, top: y1 * height / 999, right: x2 * width / 999, bottom: y2 * height / 999)
  }

  /// The same for a box on a part of a picture, in the whole picture's pixels.
  package func pixels(on part: PixelBox) -> PixelBox {
    var box = pixels(width: part.right - part.left, height: part.bottom - part.top)
    box.left += part.left
    box.right += part.left
    box.top += part.top
    box.bottom += part.top
    return box
  }
}

extension GroundedSpan {
  /// The spans of a whole text, in its order; `GroundedSpanReader` says what counts.
  public static func parse(_ text: String) -> [GroundedSpan] {
    var reader = GroundedSpanReader()
    return reader.append(text) + reader.finish()
  }
}

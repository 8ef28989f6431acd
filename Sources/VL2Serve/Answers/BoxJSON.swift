import VL2Base
import VL2Run

extension [GroundedSpan] {
  /// Each box with its label, in pixels of the picture and on the model's grid of 0...999, as `vl2 ask --json` has them.
  func json(_ picture: Picture?) -> JSONValue {
    .array(
      flatMap { span in
        span.boxes.map { box in
          let pixels = box.pixels(width: picture?.width ?? 999, height: picture?.height ?? 999)
          return [
            "label": .text(span.label), "left": .integer(pixels.left), "top": .integer(pixels.top),
            "right": .integer(pixels.right), "bottom": .integer(pixels.bottom),
            "grid": .array([box.x1, box.y1, box.x2, box.y2].map { .integer($0) }),
          ]
        }
      })
  }
}

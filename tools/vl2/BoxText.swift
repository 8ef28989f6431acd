import VL2Base
import VL2Run

/// Boxes for people.
enum BoxText {
  /// `the dog: left 240, top 510, right 960, bottom 1365`, a line for each box.
  ///
  /// - Parameter part: of the picture, on which the boxes lie; their places are the whole picture's pixels.
  static func lines(_ grounding: Grounding, on part: PixelBox) -> String {
    grounding.spans.flatMap { span in
      span.boxes.map { box in
        let place = box.pixels(on: part)
        let label = span.label.isEmpty ? "(no name)" : UntrustedText.line(span.label)
        return "\(label): left \(place.left), top \(place.top), right \(place.right), bottom \(place.bottom)"
      }
    }.joined(separator: "\n")
  }

  /// What `--ground` shows to a person: the boxes, or what was written where there are none.
  static func answer(_ answer: Answer, on part: PixelBox) -> String {
    answer.grounding.spans.isEmpty
      ? "no box; the answer was: \(answer.text)" : lines(answer.grounding, on: part)
  }

  static func count(_ grounding: Grounding) -> String {
    let boxes = grounding.spans.reduce(0) { $0 + $1.boxes.count }
    return "\(boxes) \(boxes == 1 ? "box" : "boxes")"
  }
}

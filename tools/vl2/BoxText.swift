import VL2Base
import VL2Run

/// Boxes for people.
enum BoxText {
  /// `the dog: left 240, top 510, right 960, bottom 1365`, a line for each box.
  ///
  /// - Parameter picture: what the boxes lie on; their places are its pixels.
  static func lines(_ grounding: Grounding, on picture: Picture) -> String {
    grounding.spans.flatMap { span in
      span.boxes.map { box in
        let place = box.pixels(width: picture.width, height: picture.height)
        let label = span.label.isEmpty ? "(no name)" : UntrustedText.line(span.label)
        return "\(label): left \(place.left), top \(place.top), right \(place.right), bottom \(place.bottom)"
      }
    }.joined(separator: "\n")
  }

  /// What `--ground` shows to a person: the boxes, or what was written where there are none.
  static func answer(_ answer: Answer, on picture: Picture) -> String {
    answer.grounding.spans.isEmpty
      ? "no box; the answer was: \(answer.text)" : lines(answer.grounding, on: picture)
  }

  static func count(_ grounding: Grounding) -> String {
    let boxes = grounding.spans.reduce(0) { $0 + $1.boxes.count }
    return "\(boxes) \(boxes == 1 ? "box" : "boxes")"
  }
}

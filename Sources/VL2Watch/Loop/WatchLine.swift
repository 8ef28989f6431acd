import VL2Base
import VL2Frames
import VL2Run

/// What is written to standard output: a JSON object on a line for each answer and each event.
enum WatchLine {
  /// The text that an answer comes down to; nil where no choice was likely enough.
  static func text(_ answer: Answer, of question: WatchQuestion) -> String? {
    if case .choices = question.form {
      return answer.choices.best(atLeast: question.leastProbability)?.text
    }
    return answer.text.trimmed()
  }

  static func answer(_ answer: Answer, of question: WatchQuestion, _ asking: Asking) -> JSONValue {
    var line: JSONValue = [
      "time": .text(asking.frame.time.text), "question": .text(question.name),
      "answer": value(answer, of: question),
    ]
    if let best = answer.choices.choices.first {
      line.append("probability", .real((best.probability * 1e6).rounded() / 1e6))
    }
    let boxes = answer.grounding.spans.flatMap { span in
      span.boxes.map { box -> JSONValue in
        let place = box.pixels(width: asking.picture.width, height: asking.picture.height)
        return [
          "label": .text(span.label), "left": .integer(place.left), "top": .integer(place.top),
          "right": .integer(place.right), "bottom": .integer(place.bottom),
        ]
      }
    }
    if !boxes.isEmpty { line.append("boxes", .array(boxes)) }
    line.append("reason", .text(asking.reason.rawValue))
    if !asking.frame.name.isEmpty { line.append("frame", .text(asking.frame.name)) }
    let times = answer.counts.seconds
    let seconds = times.tiling + times.vision + times.prefill + times.decode
    line.append("seconds", .real((seconds * 1000).rounded() / 1000))
    line.append("tiles", .integer(answer.plan?.tiles.reduce(0, +) ?? answer.counts.tiles))
    line.append("reused", .integer(answer.counts.reusedTiles))
    return line
  }

  private static func value(_ answer: Answer, of question: WatchQuestion) -> JSONValue {
    guard let text = text(answer, of: question) else { return nil }
    guard case .schema = question.form, let value = try? JSONReader.read(Array(text.utf8)) else {
      return .text(text)
    }
    return value
  }

  static func event(_ name: String, at time: FrameTime, _ members: (String, JSONValue)...) -> JSONValue {
    var line: JSONValue = ["time": .text(time.text), "event": .text(name)]
    for (key, value) in members { line.append(key, value) }
    return line
  }
}

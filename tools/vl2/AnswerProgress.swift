import VL2Run

extension AnswerEvent {
  /// What is being done, for a status line; nil for events that are something else.
  var status: String? {
    switch self {
    case .queued(let place): "waiting: \(place) before this one"
    case .looking(let layer, let all): "looking: layer \(layer) of \(all)"
    case .reading(let tokens, let all): "reading: \(tokens) of \(all) tokens"
    case .planned, .text, .boxes, .done: nil
    }
  }
}

import VL2Run

extension Session.Progress {
  /// What a session is doing, for a status line.
  var text: String {
    switch self {
    case .encoding(let tiles, let all): "looking: \(tiles) of \(all) \(all == 1 ? "tile" : "tiles")"
    case .reading(let tokens, let all): "reading: \(tokens) of \(all) tokens"
    }
  }
}

import VL2Run

/// What a user says, in pieces as clients send them, laid out as the model was trained.
struct UserContent {
  fileprivate enum Piece {
    case text(String)
    case picture(Picture, mostTiles: Int?)
  }

  private var pieces: [Piece] = []

  mutating func add(_ text: String) { if !text.isEmpty { pieces.append(.text(text)) } }

  mutating func add(_ picture: Picture, mostTiles: Int?) {
    pieces.append(.picture(picture, mostTiles: mostTiles))
  }

  /// Pictures come first, each on a line of its own, then the text, wherever clients have put them. Only where texts stand
  /// between pictures, as captions do, does everything stay in its place.
  var parts: [Turn.Part] {
    let texts = pieces.filter(\.isText)
    let runs = pieces.indices.filter { $0 == 0 || pieces[$0].isText != pieces[$0 - 1].isText }.count
    let ordered = runs <= 2 ? pieces.filter { !$0.isText } + texts : pieces
    var parts: [Turn.Part] = []
    for (index, piece) in ordered.enumerated() {
      switch piece {
      case .text(let text):
        parts.append(.text(text))
        guard index + 1 < ordered.count else { break }
        parts.append(.text(ordered[index + 1].isText ? "\n" : " "))
      case .picture(let picture, let most): parts += [.picture(picture, mostTiles: most), .text("\n")]
      }
    }
    return parts
  }
}

extension UserContent.Piece {
  fileprivate var isText: Bool { if case .text = self { true } else { false } }
}

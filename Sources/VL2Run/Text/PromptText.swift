import VL2Quant

/// A conversation whose texts are token ids already, while the places of its pictures are still open: how many
/// a picture takes is decided later, and then no text has to be tokenised again.
///
/// For a user's turn: `<|User|>: TEXT`, a blank line and `<|Assistant|>:`; for an assistant's TEXT and the end token;
/// for the system's TEXT. White space at both ends of a turn is dropped. A user's turn with nothing in it is
/// `<|User|>:<|Assistant|>:`, and an assistant's turn at the end has no end token: the answer goes on from it.
///
/// Source: deepseek-ai/DeepSeek-VL2, `processing_deepseek_vl_v2.py` and `conversation.py`.
package struct PromptText: Sendable {
  package struct TurnText: Sendable {
    package var role: Role
    /// What is before, between and after the turn's pictures.
    package var pieces: [[Int]]
    /// One less than there are pieces.
    package var pictures: [PlacedPicture]
  }

  /// A picture and, where it has one of its own, its limit of tiles.
  package struct PlacedPicture: Sendable {
    package var picture: Picture
    package var mostTiles: Int?
  }

  package let beginToken: Int
  package private(set) var turns: [TurnText]
  /// The first tokens of the answer, which the model goes on from.
  package let answer: [Int]

  /// Tokenises a conversation.
  ///
  /// - Parameters:
  ///   - turns: end with a user's turn, or with the beginning of the answer.
  ///   - written: the tokens of an assistant's text that a model wrote; nil where it is not known.
  /// - Throws: `PromptError.pictureOutsideUserTurn`.
  package init(
    _ turns: [Turn], tokenizer: Tokenizer, beginToken: Int, endToken: Int,
    written: (_ answer: String) -> [Int]? = { _ in nil }
  ) throws {
    self.beginToken = beginToken
    var texts = try turns.map { turn in
      var text = TurnText(role: turn.role, pieces: [], pictures: [])
      if turn.role == .assistant, let tokens = turn.tokens ?? turn.plainText.flatMap(written) {
        text.pieces = [tokens]
        return text
      }
      var pieces: [[Turn.Part]] = [[]]
      for part in turn.parts {
        if case .picture(let picture, let mostTiles) = part {
          guard turn.role == .user else { throw PromptError.pictureOutsideUserTurn(turn.role) }
          text.pictures.append(PlacedPicture(picture: picture, mostTiles: mostTiles))
          pieces.append([])
        } else {
          pieces[pieces.count - 1].append(part)
        }
      }
      pieces[0] = Self.stripped(pieces[0], atStart: true)
      pieces[pieces.count - 1] = Self.stripped(pieces[pieces.count - 1], atStart: false)
      if turn.role == .user {
        let isEmpty = pieces.count == 1 && pieces[0].isEmpty
        pieces[0].insert(.trusted(isEmpty ? "<|User|>:" : "<|User|>: "), at: 0)
        pieces[pieces.count - 1].append(.trusted(isEmpty ? "<|Assistant|>:" : "\n\n<|Assistant|>:"))
      }
      // The reference encodes the pieces between pictures one by one, so the end of a piece is the end of a text.
      text.pieces = pieces.map(tokenizer.encode)
      return text
    }
    answer = texts.last?.role == .assistant ? texts.removeLast().pieces[0] : []
    for index in texts.indices where texts[index].role == .assistant {
      texts[index].pieces[0].append(endToken)
    }
    self.turns = texts
  }

  /// Ids as they are, at least one.
  package init(tokens: [Int]) {
    beginToken = tokens[0]
    turns = [TurnText(role: .system, pieces: [Array(tokens.dropFirst())], pictures: [])]
    answer = []
  }

  package var pictures: [PlacedPicture] { turns.flatMap(\.pictures) }

  /// Tokens without those of pictures.
  package var count: Int { 1 + answer.count + turns.reduce(0) { $0 + $1.count } }

  /// The turns after the last answer: what the model has not been asked before.
  package var newTurns: ArraySlice<TurnText> {
    let first = turns.lastIndex { $0.role == .assistant }.map { $0 + 1 } ?? 0
    return turns[first...]
  }

  /// Drops the oldest question with its answer and pictures. The system's text and the last question stay.
  ///
  /// - Returns: whether there was one to drop.
  package mutating func dropOldestQuestion() -> Bool {
    guard let first = turns.firstIndex(where: { $0.role == .user }),
      let next = turns[(first + 1)...].firstIndex(where: { $0.role == .user })
    else { return false }
    turns.removeSubrange(first..<next)
    return true
  }

  /// Text parts without white space at one end.
  private static func stripped(_ parts: [Turn.Part], atStart: Bool) -> [Turn.Part] {
    func stripped(_ text: String) -> String { text.droppingPythonSpace(atStart: atStart, atEnd: !atStart) }
    var parts = parts
    while let part = atStart ? parts.first : parts.last {
      let rest: Turn.Part
      switch part {
      case .text(let text): rest = .text(stripped(text))
      case .trusted(let text): rest = .trusted(stripped(text))
      case .picture: return parts
      }
      parts[atStart ? 0 : parts.count - 1] = rest
      switch rest {
      case .text(""), .trusted(""): parts.remove(at: atStart ? 0 : parts.count - 1)
      default: return parts
      }
    }
    return parts
  }
}

extension PromptText.TurnText {
  package var count: Int { pieces.reduce(0) { $0 + $1.count } }
}

extension Turn {
  /// The text of a turn in which nothing is trusted and that has no pictures.
  fileprivate var plainText: String? {
    let isPlain = parts.allSatisfy { part in
      if case .text = part { true } else { false }
    }
    return isPlain ? text : nil
  }
}

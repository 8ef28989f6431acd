import VL2Quant

/// The token ids of a conversation with the places of its pictures, as the published processor lays them out.
package struct Prompt: Sendable {
  package let tokens: [Int]
  /// The positions of each picture's places.
  package let pictures: [Range<Int>]
  /// Positions of the answers, each with its end token, and of the beginning of the next one.
  package let answers: [Range<Int>]

  /// - Parameters:
  ///   - grids: one for each picture of the text.
  ///   - limit: the most tokens.
  /// - Throws: `PromptError.tooLong`, `PromptError.tooManyPictures`.
  package init(_ text: PromptText, grids: [TileGrid], places: ImageTokens, imageToken: Int, limit: Int) throws
  {
    // Counted before it is laid out, so that a huge grid does not take all memory.
    let count = grids.reduce(text.count) { sum, grid in
      let (total, overflow) = sum.addingReportingOverflow(places.count(grid))
      return overflow ? .max : total
    }
    guard count <= limit else {
      let (fewest, rest) = (places.count(TileGrid(columns: 1, rows: 1)), limit - text.count)
      if rest >= fewest, count == text.count + grids.count * fewest {
        throw PromptError.tooManyPictures(
          grids.count, most: rest / fewest, tokensEach: fewest, tokens: count, limit: limit)
      }
      throw PromptError.tooLong(tokens: count, limit: limit)
    }
    var tokens = [text.beginToken]
    tokens.reserveCapacity(count)
    var pictures: [Range<Int>] = []
    var answers: [Range<Int>] = []
    for turn in text.turns {
      let start = tokens.count
      for (place, piece) in turn.pieces.enumerated() {
        if place > 0 {
          let first = tokens.count
          tokens += repeatElement(imageToken, count: places.count(grids[pictures.count]))
          pictures.append(first..<tokens.count)
        }
        tokens += piece
      }
      if turn.role == .assistant { answers.append(start..<tokens.count) }
    }
    if !text.answer.isEmpty { answers.append(tokens.count..<tokens.count + text.answer.count) }
    self.tokens = tokens + text.answer
    self.pictures = pictures
    self.answers = answers
  }

  /// The parts of `answers` inside `positions`, counted from its beginning.
  package func answers(in positions: Range<Int>) -> [Range<Int>] {
    answers.compactMap { answer in
      let part = answer.clamped(to: positions)
      return part.isEmpty
        ? nil : part.lowerBound - positions.lowerBound..<part.upperBound - positions.lowerBound
    }
  }
}

import VL2Quant

/// The token ids of a conversation, image places expanded, as the published processor lays them out.
///
/// The begin token; for a user turn `<|User|>: TEXT`, a blank line and `<|Assistant|>:`; for an assistant turn
/// TEXT and the end token; for a system turn TEXT. Texts are stripped of white space at both ends.
package struct Prompt: Sendable {
  package var tokens: [Int]
  /// One for each picture, in order.
  package var imageGrids: [TileGrid]
  /// Positions of the answers, each with its end token.
  package private(set) var answers: [Range<Int>] = []

  /// Lays out a conversation.
  ///
  /// - Parameters:
  ///   - turns: usually end with a user turn.
  ///   - imageGrids: one for each picture. The user turns hold as many `<image>`, or none: then a line with
  ///     `<image>` for each picture is put before the text of the first user turn.
  /// - Throws: `PromptError`.
  package init(turns: [Turn], imageGrids: [TileGrid], tokenizer: Tokenizer, config: ModelConfig) throws {
    try self.init(
      turns: turns, imageGrids: imageGrids, tokenizer: tokenizer, places: ImageTokens(config.processor),
      beginToken: tokenizer.beginToken ?? config.language.beginToken,
      endToken: tokenizer.endToken ?? config.language.endToken,
      limit: config.language.maxPositions)
  }

  /// Like the other initialiser, but with the values that it takes from the configuration. `limit`: the most
  /// tokens.
  package init(
    turns: [Turn], imageGrids: [TileGrid], tokenizer: Tokenizer, places: ImageTokens, beginToken: Int,
    endToken: Int, limit: Int
  ) throws {
    let marker = tokenizer.imageMarker
    var texts = turns.map { stripped($0.text) }
    var found = 0
    for (turn, text) in zip(turns, texts) {
      let markers = split(text[...], at: marker).count - 1
      if markers > 0, turn.role != .user { throw PromptError.markerOutsideUserTurn(turn.role) }
      found += markers
    }
    if found == 0, !imageGrids.isEmpty {
      guard let first = turns.firstIndex(where: { $0.role == .user }) else {
        throw PromptError.noUserTurn(pictures: imageGrids.count)
      }
      let lines = imageGrids.flatMap { _ in marker + [UInt8(ascii: "\n")] }
      // Where there is no text, the last line end is dropped, as stripping would do.
      texts[first] = texts[first].isEmpty ? lines.dropLast() : lines + texts[first]
      found = imageGrids.count
    }
    guard found == imageGrids.count else {
      throw PromptError.pictureCount(places: found, pictures: imageGrids.count)
    }

    self.imageGrids = imageGrids
    tokens = [beginToken]
    var pictures = imageGrids[...]
    for (turn, text) in zip(turns, texts) {
      switch turn.role {
      case .system: tokens += tokenizer.encode(text)
      case .assistant:
        let start = tokens.count
        tokens += (turn.tokens ?? tokenizer.encode(text)) + [endToken]
        answers.append(start..<tokens.count)
      case .user:
        let template = Array("<|User|>: ".utf8) + text + Array("\n\n<|Assistant|>:".utf8)
        // The reference encodes the pieces between pictures one by one, so the end of a piece is the end of a
        // text.
        for (index, piece) in split(template[...], at: marker).enumerated() {
          if index > 0, let grid = pictures.popFirst() {
            // Checked before the places are laid out, so that a huge grid does not take all memory.
            let (total, overflow) = tokens.count.addingReportingOverflow(places.count(grid))
            guard !overflow, total <= limit else {
              throw PromptError.tooLong(tokens: overflow ? .max : total, limit: limit)
            }
            tokens += repeatElement(tokenizer.imageToken, count: total - tokens.count)
          }
          tokens += tokenizer.encode(Array(piece))
        }
      }
    }
    guard tokens.count <= limit else { throw PromptError.tooLong(tokens: tokens.count, limit: limit) }
  }
}

extension Prompt {
  /// The parts of `answers` from position `first` on, counted from there.
  package func answers(from first: Int) -> [Range<Int>] {
    answers.compactMap { answer in
      let start = max(answer.lowerBound, first)
      return start < answer.upperBound ? start - first..<answer.upperBound - first : nil
    }
  }

  /// The positions of each picture's places.
  package func pictureSpans(imageToken: Int, places: ImageTokens) -> [Range<Int>] {
    var position = 0
    return imageGrids.map { grid in
      let start = tokens[position...].firstIndex(of: imageToken) ?? tokens.endIndex
      position = min(tokens.endIndex, start + places.count(grid))
      return start..<position
    }
  }
}

/// `text` in UTF-8 without the white space at both ends, as Python's `str.strip()` leaves it.
private func stripped(_ text: String) -> [UInt8] {
  let scalars = text.unicodeScalars
  guard let first = scalars.firstIndex(where: { !$0.isPythonSpace }),
    let last = scalars.lastIndex(where: { !$0.isPythonSpace })
  else { return [] }
  return Array(text.utf8[first..<scalars.index(after: last)])
}

/// The pieces of `text` between occurrences of `separator`, from left to right; compares bytes.
func split(_ text: ArraySlice<UInt8>, at separator: [UInt8]) -> [ArraySlice<UInt8>] {
  var pieces: [ArraySlice<UInt8>] = []
  var start = text.startIndex
  var index = text.startIndex
  while index < text.endIndex {
    if text[index] == separator[0], text[index...].starts(with: separator) {
      pieces.append(text[start..<index])
      index += separator.count
      start = index
    } else {
      index += 1
    }
  }
  pieces.append(text[start...])
  return pieces
}

extension Turn {
  /// How many `<image>` marks its text has.
  package var pictureMarks: Int { split(Array(text.utf8)[...], at: Array("<image>".utf8)).count - 1 }
}

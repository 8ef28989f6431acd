extension Turn {
  /// Marks the place of a picture in texts that place pictures themselves: cases of `vl2 trace`, items of
  /// `vl2 eval`, questions of `vl2 ask --placed`.
  package static let pictureMark = "<image>"

  /// How many marks a text has. Bytes are compared: a combining mark after ">" makes no other character of it.
  package static func pictureMarks(in text: String) -> Int { cut(text).count - 1 }

  /// A user's turn whose text marks the places of its pictures.
  ///
  /// - Throws: `PromptError.pictureCount`.
  package static func marked(_ text: String, pictures: [Picture]) throws -> Turn {
    try marked([(.user, text)], pictures: pictures) { .text($0) }[0]
  }

  /// Turns of texts in which special tokens count, and of which the users' mark the places of pictures.
  ///
  /// - Parameters:
  ///   - texts: role and text of each turn.
  ///   - pictures: as many as there are marks. Where there is no mark, a line with each picture goes before the
  ///     first user's text.
  /// - Throws: `PromptError` where marks and pictures do not go together.
  package static func trusted(
    _ texts: [(role: Role, text: String)], pictures: [Picture]
  ) throws -> [Turn] {
    try marked(texts, pictures: pictures) { .trusted($0) }
  }

  private static func marked(
    _ texts: [(role: Role, text: String)], pictures: [Picture], part: (String) -> Part
  ) throws -> [Turn] {
    var left = pictures[...]
    var turns: [Turn] = []
    var marks = 0
    for (role, text) in texts {
      let pieces = cut(text)
      if pieces.count > 1, role != .user { throw PromptError.pictureOutsideUserTurn(role) }
      marks += pieces.count - 1
      var parts: [Part] = []
      for (place, piece) in pieces.enumerated() {
        if place > 0, let picture = left.popFirst() { parts.append(.picture(picture)) }
        parts.append(part(piece))
      }
      turns.append(Turn(role: role, parts: parts))
    }
    if marks == 0, !pictures.isEmpty {
      guard let first = turns.firstIndex(where: { $0.role == .user }) else {
        throw PromptError.noUserTurn(pictures: pictures.count)
      }
      turns[first] = .user([part(turns[first].text.strippedAsPython)], pictures: pictures)
    } else if marks != pictures.count {
      throw PromptError.pictureCount(places: marks, pictures: pictures.count)
    }
    return turns
  }

  /// A text cut at its marks.
  private static func cut(_ text: String) -> [String] {
    let (bytes, mark) = (Array(text.utf8), Array(pictureMark.utf8))
    var pieces: [String] = []
    var (start, index) = (0, 0)
    func end(at place: Int) { pieces.append(String(decoding: bytes[start..<place], as: UTF8.self)) }
    while index < bytes.count {
      if bytes[index] == mark[0], bytes[index...].starts(with: mark) {
        end(at: index)
        index += mark.count
        start = index
      } else {
        index += 1
      }
    }
    end(at: bytes.count)
    return pieces
  }
}

/// A line of text with a cursor.
struct EditedLine {
  enum Edit: Equatable {
    case insert(String)
    case left, right, wordLeft, wordRight, toStart, toEnd
    case deleteBackward, deleteForward, deleteWord, deleteToStart, deleteToEnd
  }

  private var characters: [Character] = []
  /// Characters before the cursor.
  private var cursor = 0

  init(_ text: String = "") {
    characters = Array(text)
    cursor = characters.count
  }

  var text: String { String(characters) }
  var isEmpty: Bool { characters.isEmpty }

  mutating func edit(_ edit: Edit) {
    switch edit {
    case .insert(let text):
      // Put together anew, because an accent joins the letter before it.
      let before = String(characters[..<cursor]) + text
      let after = characters[cursor...]
      characters = Array(before) + after
      cursor = characters.count - after.count
    case .left: cursor = max(0, cursor - 1)
    case .right: cursor = min(characters.count, cursor + 1)
    case .wordLeft: cursor = wordStart
    case .wordRight:
      while cursor < characters.count, characters[cursor].isWhitespace { cursor += 1 }
      while cursor < characters.count, !characters[cursor].isWhitespace { cursor += 1 }
    case .toStart: cursor = 0
    case .toEnd: cursor = characters.count
    case .deleteBackward: delete(max(0, cursor - 1)..<cursor)
    case .deleteForward: delete(cursor..<min(characters.count, cursor + 1))
    case .deleteWord: delete(wordStart..<cursor)
    case .deleteToStart: delete(0..<cursor)
    case .deleteToEnd: delete(cursor..<characters.count)
    }
  }

  private mutating func delete(_ range: Range<Int>) {
    characters.removeSubrange(range)
    cursor = range.lowerBound
  }

  private var wordStart: Int {
    var place = cursor
    while place > 0, characters[place - 1].isWhitespace { place -= 1 }
    while place > 0, !characters[place - 1].isWhitespace { place -= 1 }
    return place
  }

  /// The part around the cursor that fits into so many columns, and the cursor's column in it.
  func visible(columns: Int) -> (text: String, cursor: Int) {
    var first = cursor
    var width = 0
    while first > 0, width + Self.columns(characters[first - 1]) < columns {
      first -= 1
      width += Self.columns(characters[first])
    }
    let place = width
    var end = cursor
    while end < characters.count, width + Self.columns(characters[end]) <= columns {
      width += Self.columns(characters[end])
      end += 1
    }
    return (String(characters[first..<end]), place)
  }

  /// Columns that a terminal gives a character: two for East Asian wide ones and pictographs.
  private static func columns(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
      0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}

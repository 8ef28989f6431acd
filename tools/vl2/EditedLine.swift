import VL2Console

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
      // Joined again, because an accent combines with the letter before it.
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

  /// The part around the cursor that fits into the given number of columns, and the cursor's column in it.
  func visible(columns: Int) -> (text: String, cursor: Int) {
    var first = cursor
    var width = 0
    while first > 0, width + characters[first - 1].columns < columns {
      first -= 1
      width += characters[first].columns
    }
    let place = width
    var end = cursor
    while end < characters.count, width + characters[end].columns <= columns {
      width += characters[end].columns
      end += 1
    }
    return (String(characters[first..<end]), place)
  }
}

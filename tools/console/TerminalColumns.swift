extension Character {
  /// Columns that it takes on a terminal: two for wide East Asian characters and pictographs.
  package var columns: Int {
    guard let scalar = unicodeScalars.first else { return 0 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
      0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}

extension String {
  /// Columns that it takes on a terminal, not counting the sequences of `Terminal.styled`.
  package var columns: Int {
    var sum = 0
    var isStyle = false
    for character in self {
      if character == "\u{1B}" { isStyle = true }
      if !isStyle { sum += character.columns }
      if character == "m" { isStyle = false }
    }
    return sum
  }
}

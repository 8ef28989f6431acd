import Glibc
import VL2Console

/// Reads lines from a terminal, with a movable cursor and the earlier lines at hand. If standard input is not
/// a terminal, lines are read as they are.
struct LineEditor {
  enum Input: Equatable {
    case line(String)
    /// Ctrl-C.
    case interrupted
    /// Ctrl-D on an empty line, or the end of the input.
    case end
  }

  private var history: LineHistory

  init(history: LineHistory) { self.history = history }

  /// Reads one line.
  ///
  /// - Parameter prompt: is shown before the line; no wider than a few columns.
  mutating func read(prompt: String) -> Input {
    guard Terminal.isInteractive else { return readLine().map(Input.line) ?? .end }
    guard Terminal.obeysEscapes, let input = RawTerminal.during({ edit(prompt: prompt) }) else {
      return readPlainly(prompt: prompt)
    }
    return input
  }

  /// The terminal's own way of editing a line.
  private mutating func readPlainly(prompt: String) -> Input {
    Console.write(prompt)
    guard let line = readLine() else {
      Console.write("\n")
      return .end
    }
    history.append(line)
    return .line(line)
  }

  private mutating func edit(prompt: String) -> Input {
    var line = EditedLine()
    let earlier = history.lines
    var place = earlier.count
    var unfinished = ""
    func recall(_ text: String) { line = EditedLine(text) }
    while true {
      show(line, prompt: prompt)
      guard let key = Self.nextKey() else { return leave(.end) }
      switch key {
      case .enter:
        let text = line.text
        history.append(text)
        return leave(.line(text))
      case .interrupt: return leave(.interrupted)
      case .endOfInput:
        if line.isEmpty { return leave(.end) }
        line.edit(.deleteForward)
      case .earlier, .later:
        let next = place + (key == .earlier ? -1 : 1)
        guard (0...earlier.count).contains(next) else { continue }
        if place == earlier.count { unfinished = line.text }
        place = next
        recall(place == earlier.count ? unfinished : earlier[place])
      case .clearScreen: Console.write("\u{1B}[H\u{1B}[2J")
      case .edit(let edit): line.edit(edit)
      case .unknown: break
      }
    }
  }

  private func leave(_ input: Input) -> Input {
    Console.write("\r\n")
    return input
  }

  /// Draws the part of the line around the cursor that fits beside the prompt.
  private func show(_ line: EditedLine, prompt: String) {
    let room = max(8, Terminal.columns() - prompt.count - 1)
    let (visible, cursor) = line.visible(columns: room)
    Console.write("\r\u{1B}[K\(Terminal.styled(prompt, .bold))\(visible)\r\u{1B}[\(prompt.count + cursor)C")
  }

  private enum Key: Equatable {
    case enter, interrupt, endOfInput, earlier, later, clearScreen, unknown
    case edit(EditedLine.Edit)
  }

  private static func nextByte() -> UInt8? {
    var byte: UInt8 = 0
    while true {
      let count = Glibc.read(STDIN_FILENO, &byte, 1)
      if count == 1 { return byte }
      if count == 0 || errno != EINTR { return nil }
    }
  }

  private static func nextKey() -> Key? {
    guard let byte = nextByte() else { return nil }
    switch byte {
    case 0x0D, 0x0A: return .enter
    case 0x03: return .interrupt
    case 0x04: return .endOfInput
    case 0x01: return .edit(.toStart)
    case 0x02: return .edit(.left)
    case 0x05: return .edit(.toEnd)
    case 0x06: return .edit(.right)
    case 0x08, 0x7F: return .edit(.deleteBackward)
    case 0x0B: return .edit(.deleteToEnd)
    case 0x0C: return .clearScreen
    case 0x0E: return .later
    case 0x10: return .earlier
    case 0x15: return .edit(.deleteToStart)
    case 0x17: return .edit(.deleteWord)
    case 0x1B: return escapeSequence()
    case 0x09: return .edit(.insert(" "))
    case 0x00..<0x20: return .unknown
    default:
      // The remaining bytes of a UTF-8 character.
      let length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
      var bytes = [byte]
      while bytes.count < length, let next = nextByte() { bytes.append(next) }
      return String(validating: bytes, as: UTF8.self).map { .edit(.insert($0)) } ?? .unknown
    }
  }

  /// Arrow keys and similar: ESC [ or ESC O, parameters, a final byte. Source: ECMA-48, section 5.4.
  private static func escapeSequence() -> Key? {
    guard let second = nextByte() else { return nil }
    guard second == UInt8(ascii: "[") || second == UInt8(ascii: "O") else { return .unknown }
    var parameters = ""
    while let byte = nextByte() {
      guard (0x40...0x7E).contains(byte) else {
        parameters.unicodeScalars.append(Unicode.Scalar(byte))
        continue
      }
      switch (byte, parameters) {
      case (UInt8(ascii: "A"), _): return .earlier
      case (UInt8(ascii: "B"), _): return .later
      case (UInt8(ascii: "C"), ""): return .edit(.right)
      case (UInt8(ascii: "C"), _): return .edit(.wordRight)
      case (UInt8(ascii: "D"), ""): return .edit(.left)
      case (UInt8(ascii: "D"), _): return .edit(.wordLeft)
      case (UInt8(ascii: "H"), _), (UInt8(ascii: "~"), "1"), (UInt8(ascii: "~"), "7"): return .edit(.toStart)
      case (UInt8(ascii: "F"), _), (UInt8(ascii: "~"), "4"), (UInt8(ascii: "~"), "8"): return .edit(.toEnd)
      case (UInt8(ascii: "~"), "3"): return .edit(.deleteForward)
      default: return .unknown
      }
    }
    return nil
  }
}

import VL2Console

/// An answer as it goes to standard output. One that has a name, as under `--each`, stands behind it on the same line, or
/// below it where the answer has several lines.
struct NamedAnswer {
  private let name: String?
  /// What was written while it is not known where the name stands.
  private var held = ""
  private var isBegun: Bool

  init(name: String?) {
    self.name = name
    isBegun = name == nil
  }

  /// Writes more of the answer.
  mutating func write(_ piece: String) {
    guard !isBegun, let name else { return Console.write(Terminal.shown(piece)) }
    held += piece
    guard held.split(whereSeparator: \.isNewline).count(where: { !$0.allSatisfy(\.isWhitespace) }) > 1 else {
      return
    }
    Console.write("\(name):\n\(Terminal.shown(held))")
    isBegun = true
  }

  /// Ends the answer and its line.
  func end() {
    let rest = isBegun ? "" : "\(name ?? ""): \(Terminal.shown(held))"
    Console.write(rest + "\n")
  }
}

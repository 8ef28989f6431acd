/// Ends an answer before any of several texts. Text that may be the beginning of one is held back.
struct StopStrings {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []

  /// Empty texts are left out.
  init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

  /// Takes the next piece of the answer.
  ///
  /// - Returns: the text that can no longer belong to a stop text, and whether one was found; the answer ends then.
  mutating func append(_ piece: String) -> (text: String, isFound: Bool) {
    if stops.isEmpty { return (piece, false) }
    held += piece.utf8
    if let place = firstStop() {
      defer { held = [] }
      return (String(decoding: held[..<place], as: UTF8.self), true)
    }
    let kept = longestBeginning()
    defer { held.removeFirst(held.count - kept) }
    return (String(decoding: held.dropLast(kept), as: UTF8.self), false)
  }

  /// The text that is still held back, at the end of the answer.
  mutating func finish() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }

  private func firstStop() -> Int? {
    held.indices.first { start in stops.contains { held[start...].starts(with: $0) } }
  }

  /// Bytes at the end of what is held that a stop text begins with. A stop text begins with a whole character, so no
  /// character is cut.
  private func longestBeginning() -> Int {
    let longest = stops.map(\.count).max() ?? 0
    for count in stride(from: min(held.count, longest - 1), to: 0, by: -1)
    where stops.contains(where: { $0.count > count && $0.prefix(count).elementsEqual(held.suffix(count)) }) {
      return count
    }
    return 0
  }
}

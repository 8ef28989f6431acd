import VL2Base

/// Reads names and boxes out of an answer while it is written.
///
/// Nothing that a model writes is an error: what is complete is kept, and a note says what was left out. The
/// result does not depend on how the text is cut into pieces.
///
/// A name ends at `<|/ref|>` or at any other mark; boxes end at the next mark or with the text. A box is an
/// innermost `[ ]`, however deep, with four whole numbers of at most three digits between commas, the corners
/// in order; other lists are left out. A name belongs to the boxes that come next. A name is left out if
/// another name follows it or if it has no complete box.
public struct GroundedSpanReader: Sendable {
  /// What was left out so far, in the order of the text.
  public private(set) var notes: [GroundingNote] = []

  /// The mark that began the part being read; nil before the first.
  private var mark: Mark?
  /// Bytes that may become a mark.
  private var pending: [UInt8] = []
  private var name: [UInt8] = []
  /// Whether `name` waits for its boxes.
  private var isNamed = false
  private var boxes: [GroundedSpan.Box] = []
  /// The innermost list that has begun.
  private var list: [UInt8]?

  public init() {}

  /// Takes the next piece of the text. Returns the spans that ended in it.
  public mutating func append(_ text: String) -> [GroundedSpan] { append(text.utf8) }

  /// Takes the next bytes of the text, which may end within a character. Returns the spans that ended in them.
  public mutating func append(_ bytes: some Sequence<UInt8>) -> [GroundedSpan] {
    var spans: [GroundedSpan] = []
    for byte in bytes { take(byte, &spans) }
    return spans
  }

  /// Ends the text. Returns the span that was being read, where it has a complete box.
  public mutating func finish() -> [GroundedSpan] {
    var spans: [GroundedSpan] = []
    flush()
    endPart(&spans)
    leaveName()
    self = GroundedSpanReader(notes: notes)
    return spans
  }

  private init(notes: [GroundingNote]) { self.notes = notes }

  private enum Mark: String, CaseIterable {
    case name = "<|ref|>"
    case nameEnd = "<|/ref|>"
    case boxes = "<|det|>"
    case boxesEnd = "<|/det|>"
  }

  private static let marks = Mark.allCases.map { (mark: $0, bytes: Array($0.rawValue.utf8)) }

  private mutating func take(_ byte: UInt8, _ spans: inout [GroundedSpan]) {
    if pending.isEmpty, byte != UInt8(ascii: "<") { return add(byte) }
    let longer = pending + [byte]
    if let match = Self.marks.first(where: { $0.bytes.starts(with: longer) }) {
      pending = longer
      guard match.bytes.count == longer.count else { return }
      pending = []
      endPart(&spans)
      if match.mark == .name { leaveName() }
      mark = match.mark
    } else if pending.isEmpty {
      add(byte)
    } else {
      // A mark holds one "<", at its beginning.
      flush()
      take(byte, &spans)
    }
  }

  /// Adds the pending bytes as text: they turned out to be no mark.
  private mutating func flush() {
    for byte in pending { add(byte) }
    pending = []
  }

  /// Adds a byte to the current part.
  private mutating func add(_ byte: UInt8) {
    switch mark {
    case .name: name.append(byte)
    case .boxes:
      if byte == UInt8(ascii: "[") {
        list = []
      } else if byte == UInt8(ascii: "]"), let text = list {
        switch GroundedSpan.Box.read(text) {
        case .success(let box): boxes.append(box)
        case .failure(let problem): notes.append(GroundingNote(problem, text: text))
        }
        list = nil
      } else {
        list?.append(byte)
      }
    case .nameEnd, .boxesEnd, nil: break
    }
  }

  private mutating func endPart(_ spans: inout [GroundedSpan]) {
    switch mark {
    case .name: isNamed = true
    case .boxes:
      if let text = list { notes.append(GroundingNote(.unfinished, text: text)) }
      list = nil
      if boxes.isEmpty {
        leaveName()
      } else {
        let label = String(decoding: trimmed(name[...]), as: UTF8.self)
        if !isNamed { notes.append(GroundingNote(.unnamed, text: [])) }
        spans.append(GroundedSpan(label: label, boxes: boxes))
      }
      boxes = []
      name = []
      isNamed = false
    case .nameEnd, .boxesEnd, nil: break
    }
    mark = nil
  }

  /// Drops a name that has no boxes, with a note.
  private mutating func leaveName() {
    if isNamed { notes.append(GroundingNote(.withoutBoxes, text: trimmed(name[...]))) }
    name = []
    isNamed = false
  }
}

/// A part of an answer that was meant to be a name or a box and was left out, or kept incomplete.
public struct GroundingNote: Sendable, Equatable, CustomStringConvertible {
  public enum Problem: String, Error, Sendable {
    case fieldCount = "does not hold four numbers"
    case notANumber = "holds something that is no whole number"
    case outOfRange = "holds a number over 999"
    case wrongOrder = "has its corners the wrong way round"
    case unfinished = "does not end"
    case withoutBoxes = "has no boxes"
    case unnamed = "boxes without a name"
  }

  public var problem: Problem
  /// What the model wrote; only its beginning where it is long.
  public var text: String

  fileprivate init(_ problem: Problem, text: some Collection<UInt8>) {
    self.problem = problem
    let longest = 40
    // A note is one line.
    self.text =
      UntrustedText.line(String(decoding: text.prefix(longest), as: UTF8.self))
      + (text.count > longest ? "..." : "")
  }

  /// One line.
  public var description: String {
    switch problem {
    case .unnamed: problem.rawValue
    case .withoutBoxes: "\"\(text)\" \(problem.rawValue)"
    case .fieldCount, .notANumber, .outOfRange, .wrongOrder, .unfinished: "[\(text)] \(problem.rawValue)"
    }
  }
}

extension GroundedSpan.Box {
  /// Reads four numbers between commas.
  fileprivate static func read(_ text: [UInt8]) -> Result<Self, GroundingNote.Problem> {
    let parts = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return .failure(.fieldCount) }
    var numbers: [Int] = []
    for part in parts {
      let digits = trimmed(part)
      guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
        return .failure(.notANumber)
      }
      guard digits.count <= 3 else { return .failure(.outOfRange) }
      numbers.append(digits.reduce(0) { $0 * 10 + Int($1 - 0x30) })
    }
    guard numbers[0] <= numbers[2], numbers[1] <= numbers[3] else { return .failure(.wrongOrder) }
    return .success(Self(x1: numbers[0], y1: numbers[1], x2: numbers[2], y2: numbers[3]))
  }
}

/// Without ASCII white space at both ends.
private func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
  guard let first = text.firstIndex(where: { !isSpace($0) }),
    let last = text.lastIndex(where: { !isSpace($0) })
  else { return [] }
  return text[first...last]
}

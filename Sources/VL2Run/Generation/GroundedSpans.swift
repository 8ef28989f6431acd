/// A name in a model's answer with the places where the model sees it:
/// `<|ref|>NAME<|/ref|><|det|>[[x1, y1, x2, y2], ...]<|/det|>`.
public struct GroundedSpan: Sendable, Equatable {
  /// A rectangle on a grid of 0...999 over the whole picture, width and height each for itself.
  public struct Box: Sendable, Equatable {
    /// Left, top, right, bottom; `x1 <= x2` and `y1 <= y2`.
    public var x1, y1, x2, y2: Int

    public init(x1: Int, y1: Int, x2: Int, y2: Int) {
      self.x1 = x1
      self.y1 = y1
      self.x2 = x2
      self.y2 = y2
    }
  }

  /// Between `<|ref|>` and `<|/ref|>`, without white space at both ends; empty for boxes that no name precedes.
  public var label: String
  /// In the order of the text, at least one.
  public var boxes: [Box]

  public init(label: String, boxes: [Box]) {
    self.label = label
    self.boxes = boxes
  }
}

extension GroundedSpan.Box {
  /// Area in both boxes over area in either, 0...1. Equal boxes give 1, even without area.
  public func intersectionOverUnion(_ other: Self) -> Double {
    if self == other { return 1 }
    let width = max(0, min(x2, other.x2) - max(x1, other.x1))
    let height = max(0, min(y2, other.y2) - max(y1, other.y1))
    let union = area + other.area - width * height
    return union > 0 ? Double(width * height) / Double(union) : 0
  }

  private var area: Int { (x2 - x1) * (y2 - y1) }
}

extension GroundedSpan {
  /// The spans of a text, in its order. What a model writes is never an error: whatever is not whole is left out.
  ///
  /// A name ends at `<|/ref|>` or at whatever mark comes next, boxes end at the next mark or with the text. A box
  /// is an innermost `[ ]`, however deep, with four whole numbers of at most three digits between commas, the
  /// corners in order; other lists are left out. A name belongs to the boxes that come next; one that another
  /// name follows, or that has no whole box, is left out.
  public static func parse(_ text: String) -> [GroundedSpan] {
    let bytes = Array(text.utf8)
    var spans: [GroundedSpan] = []
    var label: ArraySlice<UInt8> = []
    var mark: Mark?
    var start = 0
    var position = 0

    func endPart() {
      let part = bytes[start..<position]
      switch mark {
      case .name: label = trimmed(part)
      case .boxes:
        let boxes = boxes(in: part)
        if !boxes.isEmpty {
          spans.append(GroundedSpan(label: String(decoding: label, as: UTF8.self), boxes: boxes))
        }
        label = []
      case .nameEnd, .boxesEnd, nil: break
      }
    }

    while position < bytes.count {
      guard let next = Mark(at: position, of: bytes) else {
        position += 1
        continue
      }
      endPart()
      mark = next
      position += next.length
      start = position
    }
    endPart()
    return spans
  }

  private enum Mark: String, CaseIterable {
    case name = "<|ref|>"
    case nameEnd = "<|/ref|>"
    case boxes = "<|det|>"
    case boxesEnd = "<|/det|>"

    var length: Int { rawValue.utf8.count }

    init?(at position: Int, of bytes: [UInt8]) {
      guard bytes[position] == UInt8(ascii: "<"),
        let mark = Self.allCases.first(where: { bytes[position...].starts(with: $0.rawValue.utf8) })
      else { return nil }
      self = mark
    }
  }

  private static func boxes(in part: ArraySlice<UInt8>) -> [Box] {
    var boxes: [Box] = []
    var start: Int?
    for (index, byte) in zip(part.indices, part) {
      if byte == UInt8(ascii: "[") {
        start = index + 1
      } else if byte == UInt8(ascii: "]"), let first = start {
        if let box = Box(part[first..<index]) { boxes.append(box) }
        start = nil
      }
    }
    return boxes
  }
}

extension GroundedSpan.Box {
  /// Four numbers between commas.
  fileprivate init?(_ text: ArraySlice<UInt8>) {
    let parts = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var numbers: [Int] = []
    for part in parts {
      let digits = trimmed(part)
      guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
        return nil
      }
      numbers.append(digits.reduce(0) { $0 * 10 + Int($1 - 0x30) })
    }
    guard numbers[0] <= numbers[2], numbers[1] <= numbers[3] else { return nil }
    self.init(x1: numbers[0], y1: numbers[1], x2: numbers[2], y2: numbers[3])
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

import VL2Run

/// The rule of RefCOCO, RefCOCO+ and RefCOCOg: the box that the answer gives first overlaps the right one by one half or more,
/// as intersection over union.
///
/// Source: Mao et al., "Generation and Comprehension of Unambiguous Object Descriptions", arXiv:1511.02283, section 6; as
/// VLMEvalKit reads answers in `vlmeval/dataset/refcoco.py`: four numbers in brackets, else the first four, clipped to the
/// picture. A model's coordinates are 0 to 999 over width and height (DeepSeek-VL2, `parse_ref_bbox`); VLMEvalKit divides by
/// 1,000, which moves an edge by a thousandth.
struct ReferredBox: Equatable {
  /// Left, top, right, bottom; of pixels, or whatever both boxes have in common.
  var edges: [Double]

  static let leastOverlap = 0.5

  init(_ edges: [Double]) { self.edges = edges }

  /// The box of an answer, in pixels; nil where it has none.
  init?(answer: String, width: Double, height: Double) {
    guard let found = Self.numbers(in: answer) else { return nil }
    let largest = found.map(abs).max() ?? 0
    // Fractions of the picture, the model's own grid, or pixels.
    let (x, y) = largest <= 1.5 ? (width, height) : largest <= 1000 ? (width / 999, height / 999) : (1, 1)
    let (first, second) = ((found[0] * x, found[2] * x), (found[1] * y, found[3] * y))
    func clipped(_ value: Double, _ most: Double) -> Double { min(max(0, value), most) }
    edges = [
      clipped(min(first.0, first.1), width), clipped(min(second.0, second.1), height),
      clipped(max(first.0, first.1), width), clipped(max(second.0, second.1), height),
    ]
  }

  func intersectionOverUnion(_ other: ReferredBox) -> Double {
    let width = min(edges[2], other.edges[2]) - max(edges[0], other.edges[0])
    let height = min(edges[3], other.edges[3]) - max(edges[1], other.edges[1])
    guard width > 0, height > 0 else { return 0 }
    let union = area + other.area - width * height
    return union > 0 ? width * height / union : 0
  }

  private var area: Double { max(0, edges[2] - edges[0]) * max(0, edges[3] - edges[1]) }

  /// Four numbers in brackets, with commas or spaces between them; without such, the first four of the text.
  static func numbers(in text: String) -> [Double]? {
    let bytes = Array(text.utf8)
    for open in bytes.indices where bytes[open] == UInt8(ascii: "[") {
      var reader = NumberReader(bytes, at: open + 1)
      if let four = reader.four(), reader.takes(UInt8(ascii: "]")) { return four }
    }
    var reader = NumberReader(bytes, at: 0)
    var found: [Double] = []
    while found.count < 4, !reader.isAtEnd {
      if let number = reader.number() { found.append(number) } else { reader.skip() }
    }
    return found.count == 4 ? found : nil
  }
}

/// Reads numbers out of text: a sign, digits with or without a point, an exponent.
private struct NumberReader {
  private let bytes: [UInt8]
  private var place: Int

  init(_ bytes: [UInt8], at place: Int) {
    self.bytes = bytes
    self.place = place
  }

  var isAtEnd: Bool { place >= bytes.count }

  private func byte(_ at: Int) -> UInt8 { at < bytes.count ? bytes[at] : 0 }
  private func digits(from start: Int) -> Int {
    bytes[min(start, bytes.count)...].prefix { (0x30...0x39).contains($0) }.count
  }

  mutating func skip() { place += 1 }

  mutating func takes(_ wanted: UInt8) -> Bool {
    skipSpace()
    guard byte(place) == wanted else { return false }
    place += 1
    return true
  }

  mutating func four() -> [Double]? {
    var numbers: [Double] = []
    while numbers.count < 4 {
      let isApart = numbers.isEmpty ? true : skipSpace()
      let hasComma = !numbers.isEmpty && takes(UInt8(ascii: ","))
      skipSpace()
      guard isApart || hasComma, let number = number() else { return nil }
      numbers.append(number)
    }
    return numbers
  }

  mutating func number() -> Double? {
    var end = place
    if byte(end) == UInt8(ascii: "+") || byte(end) == UInt8(ascii: "-") { end += 1 }
    let whole = digits(from: end)
    end += whole
    let fraction = byte(end) == UInt8(ascii: ".") ? digits(from: end + 1) : 0
    if fraction > 0 { end += 1 + fraction }
    guard whole + fraction > 0 else { return nil }
    if byte(end) | 0x20 == UInt8(ascii: "e") {
      let sign = byte(end + 1) == UInt8(ascii: "+") || byte(end + 1) == UInt8(ascii: "-") ? 1 : 0
      let exponent = digits(from: end + 1 + sign)
      if exponent > 0 { end += 1 + sign + exponent }
    }
    let value = String(decoding: bytes[place..<end], as: UTF8.self).pythonFloat
    guard let value, value.isFinite else { return nil }
    place = end
    return value
  }

  @discardableResult
  private mutating func skipSpace() -> Bool {
    let start = place
    while byte(place) == 0x20 || (0x09...0x0D).contains(byte(place)) { place += 1 }
    return place > start
  }
}

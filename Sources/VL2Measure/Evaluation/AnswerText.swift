/// A text in the form in which answers are compared. ASCII capitals become lower case. Every run of ASCII
/// white space becomes one space, with none at the ends. One full stop at the end is dropped, together with
/// white space before it. Equal means the same bytes of UTF-8; no other letters are changed, so that the
/// result is the same with every version of Unicode.
struct AnswerText: Equatable, Sendable {
  private let bytes: [UInt8]

  init(_ text: String) {
    var bytes: [UInt8] = []
    var gap = false
    for byte in text.utf8 {
      if byte == 0x20 || (0x09...0x0D).contains(byte) {
        gap = true
        continue
      }
      if gap, !bytes.isEmpty { bytes.append(0x20) }
      gap = false
      let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      bytes.append(isCapital ? byte | 0x20 : byte)
    }
    if bytes.last == UInt8(ascii: ".") {
      bytes.removeLast()
      if bytes.last == 0x20 { bytes.removeLast() }
    }
    self.bytes = bytes
  }

  var isEmpty: Bool { bytes.isEmpty }
}

/// What a PNG file's chunks tell, without decoding the picture.
///
/// Source: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", section 5.
struct PNGChunks {
  /// Width and height, where the file begins with a header; they may not be sensible.
  private(set) var size: (width: Int, height: Int)?
  /// Whether the last chunk is there with its checksum, which libspng does not read.
  private(set) var isComplete = false

  init(_ data: [UInt8]) {
    func number(at position: Int) -> Int {
      data[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    func holds(_ text: String, at position: Int) -> Bool {
      data[position..<position + 4].elementsEqual(text.utf8)
    }
    var position = 8
    while position <= data.count - 12 {
      let length = number(at: position)
      if position == 8 && data.count >= 24 && holds("IHDR", at: 12) {
        size = (number(at: 16), number(at: 20))
      }
      if holds("IEND", at: position + 4) {
        isComplete = length == 0 && number(at: position + 8) == 0xAE42_6082
        return
      }
      position += 12 + length
    }
  }
}

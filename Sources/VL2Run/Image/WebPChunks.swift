/// What a WebP file's chunks tell, without decoding the picture.
///
/// Source: RFC 9649, "WebP Image Format", section 2.
struct WebPChunks {
  /// Whether the file is as long as its head says.
  private(set) var isComplete = false
  /// Whether it holds many pictures.
  private(set) var isAnimated = false
  /// Whether its pixels have an opacity.
  private(set) var hasAlpha = false
  /// The Exif block's TIFF structure, where the file has one and its head says so.
  private(set) var exif: Range<Int>?

  init(_ data: [UInt8]) {
    func number(at position: Int) -> Int {
      data[position..<position + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    func holds(_ text: String, at position: Int) -> Bool {
      data[position...].starts(with: text.utf8)
    }
    guard data.count >= 12 else { return }
    let end = 8 + number(at: 4)
    isComplete = end <= data.count

    var hasExif = false
    var position = 12
    while position <= min(end, data.count) - 8 {
      let payload = position + 8
      let length = number(at: position + 4)
      guard length <= data.count - payload else { return }
      if holds("VP8X", at: position), length > 0 {
        isAnimated = data[payload] & 0x02 != 0
        hasAlpha = data[payload] & 0x10 != 0
        hasExif = data[payload] & 0x08 != 0
      } else if position == 12, holds("VP8L", at: position), length > 4 {
        // After the signature, 14 bits each for width and height.
        hasAlpha = data[payload + 4] & 0x10 != 0
      } else if holds("EXIF", at: position), exif == nil, hasExif {
        // Some programs keep the mark that the block has in JPEG files.
        let marked = length >= 6 && holds("Exif\0\0", at: payload)
        exif = payload + (marked ? 6 : 0)..<payload + length
      }
      position = payload + length + length % 2
    }
  }
}

/// What kind of file the first bytes say it is.
enum PictureFormat: Equatable {
  case jpeg
  case png
  case webp
  /// Another kind of file, which people may take for a picture that vl2 can read; the value names it.
  case other(String)
  case unknown

  /// Looks at no more than the first 64 bytes.
  init(_ data: [UInt8]) {
    func holds(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
      data.count >= offset + bytes.count && data[offset..<offset + bytes.count].elementsEqual(bytes)
    }
    func holds(_ text: String, at offset: Int = 0) -> Bool { holds(Array(text.utf8), at: offset) }

    if holds([0xFF, 0xD8]) {
      self = .jpeg
    } else if holds([0x89] + Array("PNG".utf8)) {
      self = .png
    } else if holds("GIF8") {
      self = .other("GIF")
    } else if holds("RIFF") && holds("WEBP", at: 8) {
      self = .webp
    } else if holds("ftyp", at: 4) {
      switch String(decoding: data[8..<min(12, data.count)], as: UTF8.self) {
      case "avif", "avis": self = .other("AVIF")
      case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1": self = .other("HEIC")
      default: self = .other("video (MP4 or QuickTime)")
      }
    } else if holds("BM") && holds([0, 0, 0, 0], at: 6) {
      self = .other("BMP")
    } else if holds([0x49, 0x49, 0x2A, 0]) || holds([0x4D, 0x4D, 0, 0x2A]) {
      self = .other("TIFF or camera raw")
    } else if holds([0xFF, 0x0A]) || holds([0, 0, 0, 12] + Array("JXL ".utf8)) {
      self = .other("JPEG XL")
    } else if holds([0, 0, 0, 12] + Array("jP  ".utf8)) || holds([0xFF, 0x4F, 0xFF, 0x51]) {
      self = .other("JPEG 2000")
    } else if holds("%PDF") {
      self = .other("PDF")
    } else if holds("8BPS") {
      self = .other("Photoshop")
    } else if holds("<svg") || holds("<?xml") {
      self = .other("SVG or XML")
    } else {
      self = .unknown
    }
  }
}

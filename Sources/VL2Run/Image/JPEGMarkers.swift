import Glibc

/// What a JPEG file's markers tell, without decoding the picture.
///
/// Source: ITU-T T.81, annex B.
struct JPEGMarkers {
  /// The Exif block's TIFF structure, where the file has one.
  private(set) var exif: Range<Int>?
  /// The number of scans up to the end of the picture.
  private(set) var scans = 0
  /// Whether the end of the picture was found.
  private(set) var isComplete = false

  init(_ data: [UInt8]) {
    var position = 2
    while let marker = JPEGMarkers.nextMarker(in: data, from: position) {
      position = marker + 1
      switch data[marker] {
      case 0xD9:
        isComplete = true
        return
      case 0x01, 0xD0...0xD8:
        continue
      case let code:
        guard position + 2 <= data.count else { return }
        let end = position + max(2, Int(data[position]) << 8 | Int(data[position + 1]))
        guard end <= data.count else { return }
        if code == 0xDA { scans += 1 }
        let payload = position + 2
        if code == 0xE1, exif == nil, end - payload >= 6,
          data[payload..<payload + 6].elementsEqual([0x45, 0x78, 0x69, 0x66, 0, 0])
        {
          exif = payload + 6..<end
        }
        position = end
      }
    }
  }

  /// Where the next marker's code is. Skips entropy-coded data, in which 0xFF is followed by zero, and
  /// bytes that do not belong there.
  private static func nextMarker(in data: [UInt8], from start: Int) -> Int? {
    data.withUnsafeBytes { bytes in
      var position = start
      while position < bytes.count, let base = bytes.baseAddress {
        guard let found = memchr(base + position, 0xFF, bytes.count - position) else { return nil }
        position = base.distance(to: UnsafeRawPointer(found)) + 1
        while position < bytes.count && bytes[position] == 0xFF { position += 1 }
        if position < bytes.count && bytes[position] != 0 { return position }
      }
      return nil
    }
  }
}

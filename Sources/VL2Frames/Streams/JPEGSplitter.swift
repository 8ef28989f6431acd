import Glibc

/// Finds whole JPEG files in a stream of bytes that is cut anywhere: bare MJPEG, or with headers of a multipart response or
/// anything else between.
///
/// It goes by markers, so that a thumbnail inside is not taken for a picture's end. Where they do not go together, looking
/// goes on right behind the beginning of the picture at hand, so that a length that is wrong swallows no other picture. A
/// picture without its end marker ends where the next one begins; whether all of it is there, its decoder finds out.
///
/// Source: ITU-T T.81, annex B.
package struct JPEGSplitter {
  /// What comes next at `position`.
  private enum Place {
    /// The beginning of a picture.
    case outside
    /// A marker.
    case marker
    /// Entropy-coded data.
    case scan
  }

  /// Pictures that were begun and turned out to be none.
  package private(set) var broken = 0
  private let mostBytes: Int
  private var bytes: [UInt8] = []
  /// Where the picture at hand begins.
  private var start = 0
  private var position = 0
  private var place = Place.outside
  private var hasFrame = false
  private var hasScan = false
  private var isOver = false

  /// - Parameter mostBytes: of one picture; a longer one is broken.
  package init(mostBytes: Int = 32 << 20) { self.mostBytes = mostBytes }

  package mutating func add(_ more: some Collection<UInt8>) {
    // What is over is let go of, at a time so that each byte is moved a few times at most.
    let over = place == .outside ? position : start
    if over > 1 << 16, over > bytes.count / 2 {
      bytes.removeFirst(over)
      start = max(0, start - over)
      position -= over
    }
    bytes += more
  }

  /// The next whole picture; nil where more bytes are needed first.
  package mutating func next() -> [UInt8]? {
    while true {
      if place != .outside, position - start > mostBytes || bytes.count - start > mostBytes + 1 << 17 {
        giveUp()
      }
      switch place {
      case .outside: if !findStart() { return nil }
      case .marker:
        switch readMarker() {
        case .more where isOver: giveUp()
        case .more: return nil
        case .again: break
        case .picture(let picture): return picture
        }
      case .scan:
        switch readScan() {
        case .more where isOver: return picture(upTo: bytes.count)
        case .more: return nil
        case .again: break
        case .picture(let picture): return picture
        }
      }
    }
  }

  /// Nothing more will come: `next` finds what is left, a picture without its end marker too.
  package mutating func end() { isOver = true }

  private enum Step {
    case more, again
    case picture([UInt8])
  }

  /// Where a byte is, from some place on.
  private func find(_ byte: UInt8, from begin: Int) -> Int? {
    bytes.withUnsafeBytes { bytes in
      guard begin < bytes.count, let base = bytes.baseAddress,
        let found = memchr(base + begin, Int32(byte), bytes.count - begin)
      else { return nil }
      return base.distance(to: UnsafeRawPointer(found))
    }
  }

  /// Whether a picture begins here. The third byte is that of the marker that has to follow.
  private func isStart(_ index: Int) -> Bool {
    bytes[index] == 0xFF && bytes[index + 1] == 0xD8 && bytes[index + 2] == 0xFF
  }

  private mutating func findStart() -> Bool {
    while let found = find(0xFF, from: position) {
      position = found
      guard found + 2 < bytes.count else { return false }
      if isStart(found) {
        begin(at: found)
        return true
      }
      position += 1
    }
    position = bytes.count
    return false
  }

  private mutating func begin(at index: Int) {
    (start, position, place) = (index, index + 2, .marker)
    (hasFrame, hasScan) = (false, false)
  }

  private mutating func giveUp() {
    broken += 1
    position = start + 2
    place = .outside
  }

  private mutating func readMarker() -> Step {
    func broken(_ splitter: inout JPEGSplitter) -> Step {
      splitter.giveUp()
      return .again
    }
    guard position + 1 < bytes.count else { return .more }
    guard bytes[position] == 0xFF else { return broken(&self) }
    let code = bytes[position + 1]
    switch code {
    // Any number of these may stand before a marker.
    case 0xFF:
      position += 1
      return .again
    case 0xD8: return endAtStart(position)
    case 0xD9:
      guard hasScan else { return broken(&self) }
      return .picture(picture(upTo: position + 2))
    case 0x00, 0x01, 0xD0...0xD7: return broken(&self)
    default: break
    }
    guard position + 3 < bytes.count else { return .more }
    let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
    let end = position + 2 + length
    guard length >= 2 else { return broken(&self) }
    // A picture within a picture is a thumbnail, which stands in Exif's segment before the scans.
    if hasScan || code != 0xE1 || !bytes[(position + 4)...].starts(with: Self.exif) {
      let known = min(end, bytes.count - 2)
      // It may begin within the two bytes of the length.
      if position + 2 < known, (position + 2..<known).contains(where: isStart) { return broken(&self) }
    }
    // The marker behind it says whether the length is right.
    guard end + 1 < bytes.count else { return .more }
    switch code {
    case 0xC0...0xCF where code != 0xC4 && code != 0xC8 && code != 0xCC:
      guard !hasFrame else { return broken(&self) }
      hasFrame = true
    case 0xDA:
      guard hasFrame else { return broken(&self) }
      hasScan = true
      (position, place) = (end, .scan)
      return .again
    default: break
    }
    guard bytes[end] == 0xFF else { return broken(&self) }
    position = end
    return .again
  }

  private mutating func readScan() -> Step {
    guard let found = find(0xFF, from: position) else {
      position = bytes.count
      return .more
    }
    position = found
    guard found + 2 < bytes.count || found + 1 < bytes.count && bytes[found + 1] == 0xD9 else { return .more }
    switch bytes[found + 1] {
    case 0xFF: position = found + 1
    case 0xD9: return .picture(picture(upTo: found + 2))
    case 0xD8 where bytes[found + 2] == 0xFF: return endAtStart(found)
    case 0xC4, 0xDA...0xDE, 0xE0...0xEF, 0xFE: place = .marker
    // A restart, a byte of data, or what was damaged.
    default: position = found + 2
    }
    return .again
  }

  /// A picture begins where another one is at hand.
  private mutating func endAtStart(_ index: Int) -> Step {
    guard hasScan else {
      broken += 1
      begin(at: index)
      return .again
    }
    let picture = picture(upTo: withoutPartHeader(index))
    begin(at: index)
    return .picture(picture)
  }

  /// What stands from the picture's beginning up to here. Looking goes on behind it.
  private mutating func picture(upTo end: Int) -> [UInt8] {
    let picture = Array(bytes[start..<end])
    (start, position, place) = (end, end, .outside)
    return picture
  }

  /// Where the header of a multipart response before a picture begins; the picture's own place where there is none.
  private func withoutPartHeader(_ index: Int) -> Int {
    var first = index
    while first > start, index - first < 2048, Self.isText(bytes[first - 1]) { first -= 1 }
    let dash = UInt8(ascii: "-")
    guard
      let line = (first..<index).first(where: {
        $0 + 2 < index && bytes[$0] == 10 && bytes[$0 + 1] == dash && bytes[$0 + 2] == dash
      })
    else { return index }
    return line > start && bytes[line - 1] == 13 ? line - 1 : line
  }

  private static let exif = Array("Exif\0".utf8)

  private static func isText(_ byte: UInt8) -> Bool { (32..<127).contains(byte) || (9...13).contains(byte) }
}

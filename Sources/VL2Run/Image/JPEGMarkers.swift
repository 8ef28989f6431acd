import Glibc

/// What a JPEG file's markers tell, without decoding the picture.
///
/// Source: ITU-T T.81, annex B.
struct JPEGMarkers {
  /// How a picture is coded.
  struct Frame {
    /// The marker's second byte, 0xC0 to 0xCF.
    var process: UInt8
    /// Bits of a sample.
    var precision: Int
    /// The components' identifiers.
    var components: [UInt8]
  }

  /// The Exif block's TIFF structure, where the file has one.
  private(set) var exif: Range<Int>?
  private(set) var frame: Frame?
  /// The number of scans up to the end of the picture.
  private(set) var scans = 0
  /// Whether the end of the picture was found.
  private(set) var isComplete = false
  /// The scans' coefficients.
  private var coefficients = JPEGCoefficients()

  /// - Parameter data: begins with the start of a picture.
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
        read(code, data, position + 2..<end)
        position = end
      }
    }
  }

  /// Whether there are scans for everything that the picture is made of; not whether their data are whole.
  var hasAllScans: Bool { frame.map(coefficients.areWhole(of:)) ?? false }

  private mutating func read(_ code: UInt8, _ data: [UInt8], _ payload: Range<Int>) {
    switch code {
    // Of these numbers, 0xC4, 0xC8 and 0xCC are no frames.
    case 0xC0...0xCF where code != 0xC4 && code != 0xC8 && code != 0xCC:
      guard frame == nil, payload.count >= 6 else { return }
      let components = stride(from: payload.lowerBound + 6, to: payload.upperBound, by: 3).map { data[$0] }
      frame = Frame(process: code, precision: Int(data[payload.lowerBound]), components: components)
    case 0xDA:
      scans += 1
      coefficients.add(scan: data[payload])
    case 0xE1:
      let mark = Array("Exif\0\0".utf8)
      if exif == nil, data[payload].starts(with: mark) { exif = payload.dropFirst(mark.count) }
    default: break
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

/// Which coefficients of which component the scans of a JPEG file have brought, and how exactly.
private struct JPEGCoefficients {
  /// For each component's identifier and each coefficient, the bits that are still to come.
  private var missingBits: [UInt8: [UInt8]] = [:]

  /// - Parameter header: a scan header, without its length.
  mutating func add(scan header: ArraySlice<UInt8>) {
    let header = Array(header)
    guard let count = header.first.map(Int.init), header.count >= 4 + 2 * count else { return }
    let (first, last) = (Int(header[1 + 2 * count]), Int(header[2 + 2 * count]))
    guard first <= last, last < 64 else { return }
    for component in 0..<count {
      let identifier = header[1 + 2 * component]
      for coefficient in first...last {
        missingBits[identifier, default: Self.none][coefficient] = header[3 + 2 * count] & 15
      }
    }
  }

  /// No coefficient has come; there are never so many bits.
  private static let none = [UInt8](repeating: 255, count: 64)

  func areWhole(of frame: JPEGMarkers.Frame) -> Bool {
    frame.components.allSatisfy { component in
      missingBits[component]?.allSatisfy { $0 == 0 } ?? false
    }
  }
}

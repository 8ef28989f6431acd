/// How a picture has to be turned to stand upright: the values of the Exif tag Orientation.
///
/// Source: CIPA DC-008 (Exif 2.32), section 4.6.4 A, tag 0x0112.
package enum Orientation: Int, CaseIterable, Sendable {
  case upright = 1
  case mirrored
  case turnedHalf
  case flipped
  case transposed
  /// Needs a quarter turn clockwise.
  case needsClockwise
  case transversed
  /// Needs a quarter turn counter-clockwise.
  case needsCounterClockwise

  /// The orientation in a TIFF structure, as Exif blocks hold it; upright where it says nothing sensible.
  package init(exif data: some RandomAccessCollection<UInt8>) {
    self = Orientation.find(in: Array(data)) ?? .upright
  }

  private static func find(in tiff: [UInt8]) -> Orientation? {
    guard tiff.count >= 8, tiff[0] == tiff[1], tiff[0] == 0x49 || tiff[0] == 0x4D else { return nil }
    let littleEndian = tiff[0] == 0x49

    /// The number of `size` bytes at `offset`, nil outside of the data.
    func number(at offset: Int, size: Int) -> Int? {
      guard offset >= 0, offset <= tiff.count - size else { return nil }
      let bytes = tiff[offset..<offset + size]
      return littleEndian
        ? bytes.reversed().reduce(0) { $0 << 8 | Int($1) } : bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    guard number(at: 2, size: 2) == 42, let directory = number(at: 4, size: 4),
      let entries = number(at: directory, size: 2)
    else { return nil }
    for index in 0..<entries {
      let entry = directory + 2 + 12 * index
      guard let tag = number(at: entry, size: 2) else { return nil }
      guard tag == 0x0112 else { continue }
      let size: Int
      // The standard wants 16 bits without a sign; programs write every type of integer.
      switch number(at: entry + 2, size: 2) {
      case 1, 6: size = 1
      case 3, 8: size = 2
      case 4, 9: size = 4
      default: return nil
      }
      return number(at: entry + 8, size: size).flatMap(Orientation.init(rawValue:))
    }
    return nil
  }
}

extension Picture {
  /// The picture turned and mirrored so that it stands upright.
  package func turnedUpright(from orientation: Orientation) -> Picture {
    guard orientation != .upright else { return self }
    // Pixel (x, y) of the result is pixel first + x * stepX + y * stepY of this picture.
    let last = width * height - 1
    let (first, stepX, stepY): (Int, Int, Int) =
      switch orientation {
      case .upright: (0, 1, width)
      case .mirrored: (width - 1, -1, width)
      case .turnedHalf: (last, -1, -width)
      case .flipped: (last - width + 1, 1, -width)
      case .transposed: (0, width, 1)
      case .needsClockwise: (last - width + 1, -width, 1)
      case .transversed: (last, -width, -1)
      case .needsCounterClockwise: (width - 1, width, -1)
      }
    let swapped = orientation.rawValue >= Orientation.transposed.rawValue
    let (newWidth, newHeight) = swapped ? (height, width) : (width, height)

    // Square blocks, because one of the two pictures is walked down its columns.
    let block = 32
    let turned = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
      pixels.withUnsafeBufferPointer { source in
        for blockY in stride(from: 0, to: newHeight, by: block) {
          for blockX in stride(from: 0, to: newWidth, by: block) {
            for y in blockY..<min(blockY + block, newHeight) {
              var to = 3 * (y * newWidth + blockX)
              var from = 3 * (first + y * stepY + blockX * stepX)
              for _ in blockX..<min(blockX + block, newWidth) {
                target[to] = source[from]
                target[to + 1] = source[from + 1]
                target[to + 2] = source[from + 2]
                to += 3
                from += 3 * stepX
              }
            }
          }
        }
      }
      count = pixels.count
    }
    return Picture(width: newWidth, height: newHeight, pixels: turned)
  }
}

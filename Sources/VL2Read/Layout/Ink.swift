import VL2Frames
import VL2Run

/// Where a picture has edges as letters have: places that differ from what stands two pixels further in the same row.
///
/// Going along rows, every row of every letter has such places, whatever paper and ink look like and however the light falls;
/// a row of plain paper has none.
package struct Ink: Sendable {
  package let width: Int
  package let height: Int
  /// Of each place whether its row has a step there (`across`), and its column (`down`). [height][width].
  private let marks: [UInt8]

  private static let (across, down) = (UInt8(1), UInt8(2))

  /// Of 255. Noise of cameras and of JPEG is below it.
  private static let leastStep: Int32 = 32

  package init(_ picture: Picture) {
    let (width, height) = (picture.width, picture.height)
    var marks = [UInt8](repeating: 0, count: width * height)
    picture.pixels.withUnsafeBufferPointer { pixels in
      for y in 0..<height {
        var index = y * width * 3
        func step(_ other: Int) -> Int32 {
          var step: Int32 = 0
          for channel in index..<index + 3 {
            step = max(step, abs(Int32(pixels[channel]) - Int32(pixels[channel + other])))
          }
          return step
        }
        for x in 0..<width {
          if x + 2 < width, step(6) > Self.leastStep { marks[y * width + x + 1] |= Self.across }
          if y + 2 < height, step(6 * width) > Self.leastStep { marks[(y + 1) * width + x] |= Self.down }
          index += 3
        }
      }
    }
    Self.dropRules(&marks, width, height)
    self.width = width
    self.height = height
    self.marks = marks
  }

  /// Takes out upright lines that are far longer than letters: those of tables, between columns, and a scan's dark edge.
  private static func dropRules(_ marks: inout [UInt8], _ width: Int, _ height: Int) {
    let longest = max(64, height / 8)
    for x in 0..<width {
      var (begin, end) = (0, 0)
      for y in 0...height where y == height || marks[y * width + x] & across != 0 {
        // Lines across it are as dark as it, so it has no edges there.
        if y < height, y - end <= 4 {
          end = y + 1
          continue
        }
        if end - begin > longest { for row in begin..<end { marks[row * width + x] &= ~across } }
        (begin, end) = (y, y + 1)
      }
    }
  }

  /// How much ink each row of a region has, going along it. [region.height].
  package func rows(_ region: FrameRegion) -> [Int] {
    (region.top..<region.top + region.height).map { y in
      var count = 0
      for x in region.left..<region.left + region.width { count += Int(marks[y * width + x] & Self.across) }
      return count
    }
  }

  /// How much ink each column of a region has, going along rows or down: what is wide and of one colour has none inside for
  /// rows. [region.width].
  package func columns(_ region: FrameRegion) -> [Int] {
    var counts = [Int](repeating: 0, count: region.width)
    for y in region.top..<region.top + region.height {
      for x in 0..<region.width where marks[y * width + region.left + x] != 0 { counts[x] += 1 }
    }
    return counts
  }

  /// The part of the picture that has ink, with some paper around it, or all of it where that is hardly more; nil for a blank
  /// page.
  package var content: FrameRegion? {
    let whole = FrameRegion(left: 0, top: 0, width: width, height: height)
    let lines = TextLines(rows: rows(whole), top: 0)
    guard let first = lines.lines.first, let last = lines.lines.last else { return nil }
    let band = FrameRegion(
      left: 0, top: first.lowerBound, width: width, height: last.upperBound - first.lowerBound)
    let columns = columns(band)
    guard let left = columns.firstIndex(where: { $0 > 0 }), let right = columns.lastIndex(where: { $0 > 0 })
    else { return nil }
    // What is cut off is paper; what stays lets no letter touch the edge.
    let margin = max(4, width / 25)
    let (begin, end) = (max(0, left - margin), min(width, right + 1 + margin))
    let (top, bottom) = (max(0, first.lowerBound - margin), min(height, last.upperBound + margin))
    // Little would be won where there is little around it.
    if 4 * (end - begin) * (bottom - top) > 3 * width * height { return whole }
    return FrameRegion(left: begin, top: top, width: end - begin, height: bottom - top)
  }
}

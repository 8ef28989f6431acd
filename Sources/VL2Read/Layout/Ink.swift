import VL2Frames
import VL2Run

/// Where a picture has edges as letters have: places that differ from what stands two pixels further in the same row.
///
/// Going along rows, every row of every letter has such places, whatever paper and ink look like and however the light falls;
/// a row of plain paper has none.
package struct Ink: Sendable {
  package let width: Int
  package let height: Int
  /// 1 where there is ink, else 0. [height][width].
  private let marks: [UInt8]

  /// Of 255. Noise of cameras and of JPEG is below it.
  private static let leastStep: Int32 = 32

  package init(_ picture: Picture) {
    let (width, height) = (picture.width, picture.height)
    var marks = [UInt8](repeating: 0, count: width * height)
    picture.pixels.withUnsafeBufferPointer { pixels in
      for y in 0..<height {
        var index = y * width * 3
        for x in 0..<max(0, width - 2) {
          var step: Int32 = 0
          for channel in 0..<3 {
            step = max(step, abs(Int32(pixels[index + channel]) - Int32(pixels[index + 6 + channel])))
          }
          if step > Self.leastStep { marks[y * width + x + 1] = 1 }
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
      var begin = 0
      for y in 0...height where y == height || marks[y * width + x] == 0 {
        if y - begin > longest { for row in begin..<y { marks[row * width + x] = 0 } }
        begin = y + 1
      }
    }
  }

  /// How much ink each row of a region has. [region.height].
  package func rows(_ region: FrameRegion) -> [Int] {
    (region.top..<region.top + region.height).map { y in
      var count = 0
      for x in region.left..<region.left + region.width { count += Int(marks[y * width + x]) }
      return count
    }
  }

  /// How much ink each column of a region has. [region.width].
  package func columns(_ region: FrameRegion) -> [Int] {
    var counts = [Int](repeating: 0, count: region.width)
    for y in region.top..<region.top + region.height {
      for x in 0..<region.width { counts[x] += Int(marks[y * width + region.left + x]) }
    }
    return counts
  }

  /// The part of the picture that has ink, with some paper around it; nil for a blank page.
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
    return FrameRegion(left: begin, top: top, width: end - begin, height: bottom - top)
  }
}

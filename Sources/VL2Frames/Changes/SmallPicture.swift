import VL2Run

/// A picture made small, as changes are looked for in it.
package struct SmallPicture: Sendable {
  /// The most cells along the longer side.
  private static let longest = 160
  /// Pixels along a cell's side, where the picture is large enough: in fewer, noise and compression do not even out.
  private static let leastSide = 4

  let width: Int
  let height: Int
  /// Of each cell the brightness, 0...255. [height][width].
  let brightness: [Float]
  /// Of each cell how red, green and blue it is, 0...255. [3][height][width].
  let colors: [[Float]]
  /// Whether a cell counts.
  let counts: [Bool]
  /// Tells pictures apart: of equal ones it is equal, and noise changes it.
  package let digest: UInt64

  /// - Parameter leftOut: parts that do not count.
  package init(_ picture: Picture, leavingOut leftOut: [FrameRegion] = []) {
    let (fullWidth, fullHeight) = (picture.width, picture.height)
    let larger = max(fullWidth, fullHeight)
    let scale = min(Self.longest, max(larger / Self.leastSide, min(larger, 40)))
    let width = max(1, fullWidth * scale / larger)
    let height = max(1, fullHeight * scale / larger)
    var brightness = [Float](repeating: 0, count: width * height)
    var colors = [[Float]](repeating: brightness, count: 3)
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    let starts = (0...width).map { $0 * fullWidth / width }
    var sums = [UInt32](repeating: 0, count: width * 3)
    for y in 0..<height {
      let (top, bottom) = (y * fullHeight / height, (y + 1) * fullHeight / height)
      for index in sums.indices { sums[index] = 0 }
      for row in top..<bottom { Self.add(row: row, of: picture, starts, &sums) }
      for x in 0..<width {
        let count = Float((bottom - top) * (starts[x + 1] - starts[x]))
        for channel in 0..<3 { digest = (digest ^ UInt64(sums[3 * x + channel])) &* 0x100_0000_01B3 }
        for channel in 0..<3 { colors[channel][y * width + x] = Float(sums[3 * x + channel]) / count }
      }
    }
    for index in brightness.indices {
      brightness[index] = 0.299 * colors[0][index] + 0.587 * colors[1][index] + 0.114 * colors[2][index]
    }
    var counts = [Bool](repeating: true, count: width * height)
    for region in leftOut.compactMap({ $0.clipped(width: fullWidth, height: fullHeight) }) {
      // A cell more on each side, which is seen in part.
      let columns =
        max(
          0, region.left * width / fullWidth - 1)...min(
          width - 1, (region.left + region.width) * width / fullWidth + 1)
      let rows =
        max(
          0, region.top * height / fullHeight - 1)...min(
          height - 1, (region.top + region.height) * height / fullHeight + 1)
      for y in rows { for x in columns { counts[y * width + x] = false } }
    }
    self.width = width
    self.height = height
    self.brightness = brightness
    self.colors = colors
    self.counts = counts
    self.digest = digest
  }

  private static func add(row: Int, of picture: Picture, _ starts: [Int], _ sums: inout [UInt32]) {
    picture.pixels.withUnsafeBufferPointer { pixels in
      var index = row * picture.width * 3
      for x in 0..<starts.count - 1 {
        var (red, green, blue): (UInt32, UInt32, UInt32) = (0, 0, 0)
        for _ in starts[x]..<starts[x + 1] {
          red &+= UInt32(pixels[index])
          green &+= UInt32(pixels[index + 1])
          blue &+= UInt32(pixels[index + 2])
          index += 3
        }
        sums[3 * x] &+= red
        sums[3 * x + 1] &+= green
        sums[3 * x + 2] &+= blue
      }
    }
  }

  /// Whether nothing can be seen: it is dark, and nothing stands out. A lens that is covered looks so, and so does a night
  /// without light.
  package var isDark: Bool {
    let seen = zip(brightness, counts).filter(\.1).map(\.0).sorted()
    guard let brightest = seen.last else { return false }
    let middle = seen[seen.count / 2]
    // A few cells may be hot pixels, or the lamp of a device.
    return middle < 24 && min(brightest, seen[seen.count * 99 / 100]) - seen[seen.count / 100] < 16
  }
}

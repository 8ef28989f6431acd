import Foundation
import SIMDKernels
import TestSupport
import Testing
import VL2Run

struct ResampleTests {
  @Test func everySizeEqualsPillows() throws {
    let expected = try PictureExpectations.load().resized
    #expect(expected.count > 70)
    for item in expected {
      let picture = randomPicture(seed: item.seed, width: item.from[0], height: item.from[1])
      let resized = picture.resized(width: item.to[0], height: item.to[1])
      #expect(sha256(resized.pixels) == item.sha256, "\(item.from) to \(item.to)")
    }
  }

  @Test func aColourStaysTheColour() {
    func plain(_ width: Int, _ height: Int) -> Picture {
      var pixels: [UInt8] = []
      for _ in 0..<width * height { pixels += [200, 7, 255] }
      return Picture(width: width, height: height, pixels: pixels)
    }
    for (width, height) in [(1, 1), (3, 200), (129, 64)] {
      for (newWidth, newHeight) in [(1, 1), (17, 5), (150, 211)] {
        #expect(
          plain(width, height).resized(width: newWidth, height: newHeight) == plain(newWidth, newHeight))
      }
    }
  }

  /// So long a row that its weights are made in several turns.
  @Test func longRowsAreMadeInTurns() {
    let width = 1_500_000
    var pixels: [UInt8] = []
    for x in 0..<width { pixels += [UInt8(x * 255 / width), 0, UInt8(255 - x * 255 / width)] }
    let resized = Picture(width: width, height: 1, pixels: pixels).resized(width: 510, height: 1)
    for x in 0..<510 {
      #expect(abs(Int(resized.pixels[3 * x]) - x / 2) <= 1)
      #expect(abs(Int(resized.pixels[3 * x + 2]) - (255 - x / 2)) <= 1)
    }
  }

  /// The kernels against their definition, with the pixels right before memory that cannot be read.
  @Test func kernelsReadNothingBehindThePixels() throws {
    var generator = SplitMix64(seed: 2)
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let memory = try #require(mmap(nil, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    defer { munmap(memory, 4 * page) }
    #expect(mprotect(memory + 3 * page, page, PROT_NONE) == 0)

    for _ in 0..<300 {
      let width = Int.random(in: 1...60, using: &generator)
      let rows = Int.random(in: 1...9, using: &generator)
      let count = width * rows * 3
      let pixels = (memory + 3 * page - count).bindMemory(to: UInt8.self, capacity: count)
      for index in 0..<count { pixels[index] = UInt8(truncatingIfNeeded: generator.next()) }

      let columns = Int.random(in: 1...9, using: &generator)
      let window = 4 * Int.random(in: 1...8, using: &generator)
      let starts = (0..<columns).map { _ in UInt32.random(in: 0..<UInt32(width), using: &generator) }
      var weights = [Int32](repeating: 0, count: columns * window * 3)
      for column in 0..<columns {
        for offset in 0..<min(window, width - Int(starts[column])) {
          let weight = Int32.random(in: -100_000...250_000, using: &generator)
          for channel in 0..<3 { weights[(column * window + offset) * 3 + channel] = weight }
        }
      }
      var out = [UInt8](repeating: 0, count: rows * columns * 3)
      vl2_resample_horizontal(
        pixels, count, width * 3, rows, weights, starts, window, columns, &out, columns * 3)
      var expected: [UInt8] = []
      for row in 0..<rows {
        for column in 0..<columns {
          for channel in 0..<3 {
            var sum = 1 << 21
            for offset in 0..<min(window, width - Int(starts[column])) {
              sum +=
                Int(pixels[(row * width + Int(starts[column]) + offset) * 3 + channel])
                * Int(weights[(column * window + offset) * 3 + channel])
            }
            expected.append(UInt8(min(255, max(0, sum >> 22))))
          }
        }
      }
      #expect(out == expected)

      let rowWeights = (0..<rows).map { _ in Int32.random(in: -400_000...900_000, using: &generator) }
      var row = [UInt8](repeating: 0, count: width * 3)
      vl2_resample_vertical(pixels, width * 3, rows, rowWeights, width * 3, &row)
      let expectedRow = (0..<width * 3).map { index in
        let sum = (0..<rows).reduce(1 << 21) {
          $0 + Int(pixels[$1 * width * 3 + index]) * Int(rowWeights[$1])
        }
        return UInt8(min(255, max(0, sum >> 22)))
      }
      #expect(row == expectedRow)
    }
  }
}

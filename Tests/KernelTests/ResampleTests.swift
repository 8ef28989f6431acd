import Foundation
import SIMDKernels
import TestSupport
import Testing

@Suite struct ResampleKernelTests {
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

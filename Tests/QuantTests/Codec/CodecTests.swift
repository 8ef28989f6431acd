import SIMDKernels
import TestSupport
import Testing
import VL2Quant

/// What each code loses and takes, for the widths of the published models and for awkward ones.
@Suite struct CodecTests {
  private static let columns = [1280, 896, 4304, 588, 129, 16, 7]

  /// Relative error of a matrix whose rows differ in size and that has rare large weights.
  private func error(_ code: WeightCode, rows: Int, columns: Int) throws -> Double {
    var random = SplitMix64(seed: UInt64(rows * 10_000 + columns))
    var weights: [Float] = []
    for _ in 0..<rows {
      let size = 0.02 + 0.02 * random.signedUnit()
      for column in 0..<columns {
        weights.append(size * random.normal() * (column % 1999 == 77 ? 6 : 1))
      }
    }
    let kernelCode = try #require(code.kernelCode)
    let block = vl2_block_bytes(kernelCode, columns)
    let blocks = (rows + 15) / 16
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: block * blocks, alignment: 64)
    defer { memory.deallocate() }
    let bytes = try #require(memory.baseAddress).assumingMemoryBound(to: UInt8.self)
    var (lost, energy) = (0.0, 0.0)
    for index in 0..<blocks {
      weights.withUnsafeBufferPointer {
        lost += vl2_encode_block(
          kernelCode, $0.baseAddress.map { $0 + 16 * index * columns }, columns, min(16, rows - 16 * index),
          columns, bytes + index * block, &energy)
      }
    }
    var matrix = vl2_matrix(
      blocks: bytes, block_step: block, code: kernelCode, rows: UInt32(rows), columns: UInt32(columns))
    var (squares, total) = (0.0, 0.0)
    var decoded = [Float](repeating: 0, count: columns)
    for row in 0..<rows {
      vl2_decode_row(&matrix, row, &decoded)
      for column in 0..<columns {
        let weight = weights[row * columns + column]
        squares += Double(weight - decoded[column]) * Double(weight - decoded[column])
        total += Double(weight) * Double(weight)
      }
    }
    // What encoding reports is what decoding shows.
    #expect(abs(lost - squares) <= 1e-6 * squares)
    #expect(abs(energy - total) <= 1e-6 * total)
    return (squares / total).squareRoot()
  }

  /// 0.0764 is what IQ4_NL loses on such weights, at 4.5 bits.
  @Test(arguments: columns)
  func q4(_ columns: Int) throws {
    #expect(try error(.q4, rows: 648, columns: columns) < 0.0764)
  }

  @Test(arguments: columns)
  func int8(_ columns: Int) throws {
    #expect(try error(.int8, rows: 40, columns: columns) < 0.0070)
  }

  @Test(arguments: columns)
  func floatingPoint(_ columns: Int) throws {
    #expect(try error(.bf16, rows: 20, columns: columns) < 0.0025)
    #expect(try error(.f32, rows: 20, columns: columns) == 0)
  }

  @Test func bitsPerWeight() {
    func bits(_ code: WeightCode, _ rows: Int, _ columns: Int) -> Double {
      let entry = TensorEntry(
        name: "", shape: [rows, columns], code: code, offset: 0, blockStep: 0, errorPPM: 0)
      return Double(entry.byteCount) * 8 / Double(entry.weightCount)
    }
    for columns in [1280, 896, 1152, 4304, 6848] {
      #expect(bits(.q4, 1280, columns) <= 4.5)
      #expect(bits(.int8, 1280, columns) <= 8.5)
    }
    #expect(bits(.bf16, 1280, 1280) == 16)
    #expect(bits(.plain, 1280, 1280) == 32)
  }
}

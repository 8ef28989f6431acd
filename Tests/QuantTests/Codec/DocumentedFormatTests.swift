import SIMDKernels
import TestSupport
import Testing
import VL2Quant

/// The formulas of docs/FORMAT.md against the code that reads weights.
@Suite struct DocumentedFormatTests {
  private static func pad(_ n: Int, _ a: Int) -> Int { (n + a - 1) / a * a }
  private static func ceil(_ n: Int, _ a: Int) -> Int { (n + a - 1) / a }
  private static let codebook = [-127, -106, -83, -65, -49, -34, -21, -9, 3, 14, 26, 38, 52, 67, 86, 112]

  private static func length(_ code: WeightCode, _ columns: Int) -> Int {
    switch code {
    case .f32: 64 * columns
    case .bf16: pad(32 * columns, 64)
    case .int8: pad(16 * ceil(columns, 32) + 32, 64) + 256 * ceil(columns, 16)
    default: pad(48 * ceil(columns, 64) + 32, 64) + 128 * ceil(columns, 16)
    }
  }

  /// Weight (r, k) of a block, by the formulas of the page.
  private static func weight(_ block: [UInt8], _ code: WeightCode, columns: Int, r: Int, k: Int) -> Float {
    func bits(_ at: Int, _ count: Int) -> UInt32 {
      (0..<count).reduce(0) { $0 | UInt32(block[at + $1]) << UInt32(8 * $1) }
    }
    func bfloat16(_ at: Int) -> Float { Float(bitPattern: bits(at, 2) << 16) }
    switch code {
    case .f32: return Float(bitPattern: bits(64 * k + 4 * r, 4))
    case .bf16: return bfloat16(32 * k + 2 * r)
    case .int8:
      let rowScales = 16 * ceil(columns, 32)
      let scale = Int(block[16 * (k / 32) + r])
      let value = Int(Int8(bitPattern: block[pad(rowScales + 32, 64) + 64 * (k / 4) + 4 * r + k % 4]))
      return bfloat16(rowScales + 2 * r) * Float(scale * value)
    default:
      let rowScales = 48 * ceil(columns, 64)
      let at = 48 * (k / 16 / 4) + r
      let bytes = [at, at + 16, at + 32].map { Int(block[$0]) }
      let group = k / 16 % 4
      let upper = bytes.map { $0 >> 6 }
      let six = group < 3 ? bytes[group] & 63 : upper[0] | upper[1] << 2 | upper[2] << 4
      let byte = Int(block[pad(rowScales + 32, 64) + 64 * (k / 8) + 4 * r + k % 4])
      let index = k % 8 < 4 ? byte & 15 : byte >> 4
      return bfloat16(rowScales + 2 * r) * Float((six - 32) * codebook[index])
    }
  }

  private static func read(_ block: [UInt8], _ code: WeightCode, columns: Int) throws -> [Float] {
    let kernelCode = try #require(code.kernelCode)
    return block.withUnsafeBufferPointer {
      var matrix = vl2_matrix(
        blocks: $0.baseAddress, block_step: block.count, code: kernelCode, rows: 16, columns: UInt32(columns))
      var rows = [Float](repeating: 0, count: 16 * columns)
      for row in 0..<16 {
        rows.withUnsafeMutableBufferPointer { vl2_decode_row(&matrix, row, $0.baseAddress! + row * columns) }
      }
      return rows
    }
  }

  @Test(arguments: [WeightCode.f32, .bf16, .int8, .q4]) func formulas(code: WeightCode) throws {
    let kernelCode = try #require(code.kernelCode)
    var random = SplitMix64(seed: 11)
    for columns in [1, 3, 8, 16, 17, 20, 32, 48, 63, 64, 65, 100, 588] {
      let length = Self.length(code, columns)
      #expect(vl2_block_bytes(kernelCode, columns) == length)
      // Any bytes are a block.
      let block = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let read = try Self.read(block, code, columns: columns)
      for r in 0..<16 {
        for k in 0..<columns {
          let expected = Self.weight(block, code, columns: columns, r: r, k: k)
          let found = read[r * columns + k]
          #expect(
            found == expected || (found.isNaN && expected.isNaN),
            "\(code), \(columns) columns, row \(r), column \(k)")
        }
      }
    }
  }
}

import SIMDKernels
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

private let allCodes = [VL2_CODE_F32, VL2_CODE_BF16, VL2_CODE_I8, VL2_CODE_Q4]
private let q4 = VL2_CODE_Q4
private let int8 = VL2_CODE_I8

@Suite struct EncodingTests {
  @Test(arguments: [1280, 896, 1152, 6848, 4304, 588])
  func fourBitErrorAndSize(columns: Int) {
    let packed = PackedMatrix(random: 1, rows: 64, columns: columns, code: q4)
    #expect((packed.error / packed.energy).squareRoot() <= 0.068)
    #expect(Double(vl2_block_bytes(UInt32(q4), columns) * 8) / Double(16 * columns) <= 4.5)
  }

  @Test(arguments: [1280, 896, 4304, 588])
  func eightBitError(columns: Int) {
    let packed = PackedMatrix(random: 2, rows: 64, columns: columns, code: int8)
    #expect((packed.error / packed.energy).squareRoot() <= 0.006)
  }

  /// Group scales are rounded up: every weight is within half a step, the largest of its group included.
  @Test func eightBitCodesAreNotClipped() {
    let packed = PackedMatrix(random: 5, rows: 32, columns: 1280, code: int8)
    for row in 0..<32 {
      let weights = Array(packed.weights[row * 1280..<(row + 1) * 1280])
      let decoded = packed.decoded(row: row)
      let rowStep = (weights.map(abs).max() ?? 0) / (127 * 255) * 1.01
      for first in stride(from: 0, to: 1280, by: 32) {
        let largest = weights[first..<first + 32].map(abs).max() ?? 0
        for k in first..<first + 32 {
          #expect(abs(weights[k] - decoded[k]) <= 0.5001 * (largest / 127 + rowStep))
        }
      }
    }
  }

  /// A real group often leans to one side, or has one weight far out.
  @Test func fourBitErrorOnLongTails() {
    var random = SplitMix64(seed: 3)
    let weights = (0..<64 * 1280).map { _ in
      let sign: Float = random.next() % 2 == 0 ? 1 : -1
      return sign * -Float(log(Double(random.next() >> 11 | 1) * 0x1p-53))
    }
    let packed = PackedMatrix(weights, rows: 64, columns: 1280, code: q4)
    #expect((packed.error / packed.energy).squareRoot() <= 0.0764)
  }

  @Test(arguments: allCodes)
  func reportedErrorIsThatOfDecodedRows(code: Int) {
    for (rows, columns) in [(1, 1), (5, 17), (16, 72), (19, 588), (33, 130)] {
      let packed = PackedMatrix(random: UInt64(columns), rows: rows, columns: columns, code: code)
      var error = 0.0
      var energy = 0.0
      for row in 0..<rows {
        for (weight, decoded) in zip(packed.weights[(row * columns)...], packed.decoded(row: row)) {
          error += (Double(weight) - Double(decoded)) * (Double(weight) - Double(decoded))
          energy += Double(weight) * Double(weight)
        }
      }
      #expect(abs(error - packed.error) <= 1e-9 * energy)
      #expect(abs(energy - packed.energy) <= 1e-9 * energy)
    }
  }

  @Test(arguments: KernelSet.others, allCodes)
  func sameBytesOnEveryInstructionSet(kernels: KernelSet, code: Int) {
    for (rows, columns) in [(1, 1), (16, 16), (7, 17), (24, 72), (648, 33), (48, 588), (17, 4304)] {
      let weights = randomFloats(rows * columns, seed: UInt64(columns))
      let expected = PackedMatrix(weights, rows: rows, columns: columns, code: code)
      let found = PackedMatrix(weights, rows: rows, columns: columns, code: code, with: kernels)
      #expect(expected.storage.equals(found.storage), "\(rows) x \(columns)")
      #expect(expected.error == found.error && expected.energy == found.energy)
    }
  }

  @Test func float32IsExact() {
    let packed = PackedMatrix(random: 4, rows: 37, columns: 19, code: VL2_CODE_F32)
    for row in 0..<37 { #expect(packed.decoded(row: row) == Array(packed.weights[row * 19..<row * 19 + 19])) }
    #expect(packed.error == 0)
  }

  @Test func bfloat16RoundsToNearestEven() {
    let bits: [(UInt32, UInt32)] = [
      (0x3F80_8000, 0x3F80), (0x3F80_8001, 0x3F81), (0x3F81_8000, 0x3F82), (0x3F80_7FFF, 0x3F80),
      (0xBF81_8000, 0xBF82), (0x8000_0000, 0x8000), (0x0000_8001, 0x0001), (0x7F7F_FFFF, 0x7F7F),
      (0xFF7F_FFFF, 0xFF7F),
    ]
    let weights = bits.map { Float(bitPattern: $0.0) }
    let packed = PackedMatrix(weights, rows: 1, columns: bits.count, code: VL2_CODE_BF16)
    #expect(packed.decoded(row: 0).map { $0.bitPattern >> 16 } == bits.map(\.1))
  }

  /// Nothing that is finite may come back as anything else, whatever its size.
  @Test(arguments: allCodes)
  func extremeRows(code: Int) {
    let columns = 50
    let rows: [[Float]] = [
      Array(repeating: 0, count: columns),
      (0..<columns).map { Float($0) * .leastNonzeroMagnitude },
      (0..<columns).map { Float($0 - 25) * 0x1p-130 },
      (0..<columns).map { Float($0 - 25) * 1e-33 },
      (0..<columns).map { Float($0 - 25) * 1e-20 },
      (0..<columns).map { Float($0 - 25) * 1.3e37 },
      (0..<columns).map { $0 % 2 == 0 ? Float.greatestFiniteMagnitude : -Float.greatestFiniteMagnitude },
      Array(repeating: Float.greatestFiniteMagnitude, count: columns),
      Array(repeating: -Float.greatestFiniteMagnitude, count: columns),
      (0..<columns).map { $0 == 7 ? 1e30 : Float($0) * 1e-30 },
      (0..<columns).map { $0 == 49 ? -1e4 : Float($0 - 20) },
      (0..<columns).map { $0 < 16 ? 1e-20 : Float($0 - 30) },
      Array(repeating: 1, count: columns),
      (0..<columns).map { $0 == 20 ? -1 : 0 },
    ]
    let packed = PackedMatrix(rows.flatMap { $0 }, rows: rows.count, columns: columns, code: code)
    for (index, row) in rows.enumerated() {
      let decoded = packed.decoded(row: index)
      let largest = row.map(abs).max() ?? 0
      #expect(decoded.allSatisfy { $0.isFinite }, "row \(index)")
      for (weight, value) in zip(row, decoded) {
        // Below 2^-100 a row may become zeros.
        #expect(abs(Double(weight) - Double(value)) <= max(0.13 * Double(largest), 0x1p-100), "row \(index)")
      }
    }
    #expect(packed.decoded(row: 0).allSatisfy { $0 == 0 })
  }

  /// Rows that are not there do not disturb the others, and rows do not disturb each other.
  @Test(arguments: allCodes)
  func rowsAreIndependent(code: Int) {
    let columns = 100
    let weights = randomFloats(16 * columns, seed: 9)
    let together = PackedMatrix(weights, rows: 16, columns: columns, code: code)
    for row in [0, 5, 15] {
      let alone = PackedMatrix(
        Array(weights[row * columns..<(row + 1) * columns]), rows: 1, columns: columns, code: code)
      #expect(sameBits(alone.decoded(row: 0), together.decoded(row: row)))
    }
  }

  @Test func widenBfloat16() {
    let all = (0...UInt16.max).map { $0 }
    var out = [Float](repeating: 0, count: all.count)
    vl2_widen_bf16(all, all.count, &out)
    #expect(zip(all, out).allSatisfy { $1.bitPattern == UInt32($0) << 16 })
  }

  @Test func widenFloat16() {
    let all = (0...UInt16.max).map { $0 }
    var out = [Float](repeating: 0, count: all.count)
    vl2_widen_f16(all, all.count, &out)
    var wrong = 0
    for (half, value) in zip(all, out) {
      let exponent = Int(half >> 10 & 31)
      let fraction = Double(half & 1023)
      let sign = half >> 15 == 0 ? 1.0 : -1.0
      switch exponent {
      case 31 where fraction > 0: wrong += value.isNaN ? 0 : 1
      case 31: wrong += Double(value) == sign * .infinity ? 0 : 1
      case 0: wrong += Double(value) == sign * fraction * 0x1p-24 ? 0 : 1
      default: wrong += Double(value) == sign * (1024 + fraction) * pow(2, Double(exponent - 25)) ? 0 : 1
      }
    }
    #expect(wrong == 0)
  }
}

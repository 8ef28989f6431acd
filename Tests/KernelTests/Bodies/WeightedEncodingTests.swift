import SIMDKernels
import TestSupport
import Testing

/// Encoding where columns count differently, and the sums that say how much.
@Suite struct WeightedEncodingTests {
  private static let shapes = [(16, 16), (5, 7), (21, 100), (16, 588), (33, 256)]

  /// Matrix, importance, blocks and errors of one encoding.
  private struct Encoded {
    var bytes: AlignedBytes
    var error: vl2_code_error
    var matrix: vl2_matrix

    init(
      _ weights: [Float], rows: Int, columns: Int, code: Int, importance: [Float],
      with kernels: KernelSet = .portable
    ) {
      let length = vl2_block_bytes(UInt32(code), columns)
      let storage = AlignedBytes(count: (rows + 15) / 16 * length, filledWith: 0xAA)
      var sums = vl2_code_error()
      for block in 0..<(rows + 15) / 16 {
        weights.withUnsafeBufferPointer {
          kernels.functions.encode_weighted(
            UInt32(code), $0.baseAddress! + block * 16 * columns, columns, min(16, rows - block * 16),
            columns, importance, storage.start + block * length, &sums)
        }
      }
      (bytes, error) = (storage, sums)
      matrix = vl2_matrix(
        blocks: storage.start, block_step: length, code: UInt32(code), rows: UInt32(rows),
        columns: UInt32(columns))
    }

    func row(_ row: Int) -> [Float] {
      var out = [Float](repeating: .nan, count: Int(matrix.columns))
      var matrix = matrix
      vl2_decode_row(&matrix, row, &out)
      return out
    }
  }

  /// As activations are: most columns small, some hundreds of times larger.
  private func importance(_ columns: Int, seed: UInt64) -> [Float] {
    randomFloats(columns, seed: seed).enumerated().map { max($1 * $1 * ($0 % 13 == 5 ? 300 : 1), 1e-4) }
  }

  private func weightedError(_ weights: [Float], _ decoded: [Float], _ importance: [Float]) -> Double {
    zip(zip(weights, decoded), importance).reduce(0) { sum, item in
      let lost = Double(item.0.0) - Double(item.0.1)
      return sum + Double(item.1) * lost * lost
    }
  }

  @Test(arguments: codeNames.indices)
  func allKernelsGiveTheSameBytes(_ code: Int) {
    for (rows, columns) in Self.shapes {
      let weights = randomFloats(rows * columns, seed: 3, scale: 0.02)
      let importance = importance(columns, seed: 4)
      let expected = Encoded(weights, rows: rows, columns: columns, code: code, importance: importance)
      for kernels in KernelSet.all {
        let found = Encoded(
          weights, rows: rows, columns: columns, code: code, importance: importance, with: kernels)
        #expect(found.bytes.equals(expected.bytes), "\(codeNames[code]) \(rows)x\(columns) \(kernels)")
        #expect(found.error.weighted_error == expected.error.weighted_error)
      }
    }
  }

  @Test(arguments: codeNames.indices)
  func whatIsReportedIsWhatDecodingShows(_ code: Int) {
    for (rows, columns) in Self.shapes {
      let weights = randomFloats(rows * columns, seed: 5, scale: 0.02)
      let importance = importance(columns, seed: 6)
      let encoded = Encoded(weights, rows: rows, columns: columns, code: code, importance: importance)
      var (plain, weighted) = (0.0, 0.0)
      for row in 0..<rows {
        let own = Array(weights[row * columns..<(row + 1) * columns])
        plain += weightedError(own, encoded.row(row), .init(repeating: 1, count: columns))
        weighted += weightedError(own, encoded.row(row), importance)
      }
      #expect(abs(encoded.error.error - plain) <= 1e-9 * plain)
      #expect(abs(encoded.error.weighted_error - weighted) <= 1e-9 * weighted)
    }
  }

  /// With every column counting the same, q4 is as without importance. Otherwise what counts gets nearer, and the rest
  /// pays for it.
  @Test(arguments: [VL2_CODE_I8, VL2_CODE_Q4])
  func whatCountsGetsNearer(_ code: Int) {
    for (rows, columns) in Self.shapes {
      let weights = randomFloats(rows * columns, seed: 7, scale: 0.02)
      let plain = PackedMatrix(weights, rows: rows, columns: columns, code: code)
      let ones = [Float](repeating: 1, count: columns)
      let same = Encoded(weights, rows: rows, columns: columns, code: code, importance: ones)
      if code == VL2_CODE_Q4 {
        for row in 0..<rows { #expect(same.row(row) == plain.decoded(row: row)) }
      } else {
        #expect(same.error.error <= plain.error)
      }
      let importance = importance(columns, seed: 8)
      let encoded = Encoded(weights, rows: rows, columns: columns, code: code, importance: importance)
      let unweighted = (0..<rows).reduce(0.0) {
        $0
          + weightedError(
            Array(weights[$1 * columns..<($1 + 1) * columns]), plain.decoded(row: $1), importance)
      }
      #expect(encoded.error.weighted_error <= unweighted, "\(codeNames[code]) \(rows)x\(columns)")
      if code == VL2_CODE_Q4, columns >= 100 {
        #expect(encoded.error.weighted_error < 0.85 * unweighted)
        #expect(encoded.error.error > plain.error)
      }
    }
  }

  /// Every integer scale tried in float64, for the row scale that the encoder took: nothing is better, and the encoder is
  /// not far from the best.
  @Test func q4IsNearlyTheBestThereIs() {
    let (rows, columns) = (16, 96)
    let weights = randomFloats(rows * columns, seed: 9, scale: 0.02)
    let importance = importance(columns, seed: 10)
    let encoded = Encoded(weights, rows: rows, columns: columns, code: VL2_CODE_Q4, importance: importance)
    let book = (0..<16).map { i in withUnsafeBytes(of: vl2_q4_codebook) { Double(Int8(bitPattern: $0[i])) } }
    let scalesAt = 48 * ((columns + 63) / 64)
    var (best, found) = (0.0, 0.0)
    for row in 0..<rows {
      let bits =
        UInt32(encoded.bytes.start[scalesAt + 2 * row]) | UInt32(encoded.bytes.start[scalesAt + 2 * row + 1])
        << 8
      let rowScale = Double(Float(bitPattern: bits << 16))
      let decoded = encoded.row(row)
      for group in stride(from: 0, to: columns, by: 16) {
        var least = Double.infinity
        for integer in -31...31 {
          let real = Double(integer) * rowScale
          least = min(
            least,
            (group..<group + 16).reduce(0.0) { sum, column in
              let weight = Double(weights[row * columns + column])
              let lost = book.map { abs(weight - real * $0) }.min()!
              return sum + Double(importance[column]) * lost * lost
            })
        }
        best += least
        let own = (group..<group + 16).reduce(0.0) { sum, column in
          let lost = Double(weights[row * columns + column]) - Double(decoded[column])
          return sum + Double(importance[column]) * lost * lost
        }
        // float32 against float64.
        #expect(own >= least * (1 - 1e-5))
        found += own
      }
    }
    #expect(found <= 1.15 * best, "\(found / best)")
  }

  @Test func squaresAddUpInOrder() {
    for (rows, columns) in Self.shapes {
      var x = randomFloats(rows * columns, seed: 11, scale: 3)
      x[columns / 2] = .infinity
      x[columns - 1] = .nan
      let index = (0..<rows).map { UInt32((7 * $0) % rows) }
      var expected = [Double](repeating: 0.5, count: columns)
      for row in index {
        for column in 0..<columns {
          let value = x[Int(row) * columns + column]
          if value.isFinite { expected[column] += Double(value) * Double(value) }
        }
      }
      for kernels in KernelSet.all {
        var sums = [Double](repeating: 0.5, count: columns)
        kernels.functions.add_squares(x, columns, index, rows, columns, &sums)
        #expect(sums == expected)
        // The first rows, a part of the columns at a time.
        var (whole, parts) = ([Double](repeating: 0, count: columns), [Double](repeating: 0, count: columns))
        kernels.functions.add_squares(x, columns, nil, rows, columns, &whole)
        for first in stride(from: 0, to: columns, by: 5) {
          x.withUnsafeBufferPointer { x in
            parts.withUnsafeMutableBufferPointer {
              kernels.functions.add_squares(
                x.baseAddress! + first, columns, nil, rows, min(5, columns - first), $0.baseAddress! + first)
            }
          }
        }
        #expect(whole == parts)
      }
    }
  }
}

import SIMDKernels
import TestSupport
import Testing

private let codes = [VL2_CODE_F32, VL2_CODE_BF16, VL2_CODE_I8, VL2_CODE_Q4]

/// Rows and columns of a matrix, and the rows that take part.
private let shapes = [
  (1, 1, 0..<1), (40, 17, 3..<37), (64, 64, 0..<32), (64, 33, 16..<64), (96, 72, 40..<42),
  (256, 512, 128..<256),
  (33, 588, 0..<33),
]

/// Rows of x, `gap` floats apart, times the rows `range` of the transposed matrix; [count][columns].
private func multiply(
  _ packed: PackedMatrix, _ range: Range<Int>, _ x: [Float], count: Int, with kernels: KernelSet
) -> [Float] {
  var matrix = packed.matrix
  let (gap, margin) = (3, 2)
  var wide: [Float] = []
  for i in 0..<count {
    wide += x[i * range.count..<(i + 1) * range.count] + [Float](repeating: .nan, count: gap)
  }
  let stride = packed.columns + margin
  var y = [Float](repeating: 1234.5, count: count * stride)
  kernels.functions.matmul_transposed(
    &matrix, range.lowerBound, range.count, wide, range.count + gap, count, &y, stride)
  var out: [Float] = []
  for i in 0..<count {
    out += y[i * stride..<i * stride + packed.columns]
    #expect(y[i * stride + packed.columns..<(i + 1) * stride].allSatisfy { $0 == 1234.5 })
  }
  return out
}

@Suite struct MatmulTransposedTests {
  @Test(arguments: codes)
  func portableIsRight(code: Int) {
    for (rows, columns, range) in shapes {
      let packed = PackedMatrix(random: 1, rows: rows, columns: columns, code: code)
      let x = randomFloats(5 * range.count, seed: 2)
      let y = multiply(packed, range, x, count: 5, with: .portable)
      let weights = range.map { packed.decoded(row: $0) }
      for i in 0..<5 {
        for column in 0..<columns {
          var (exact, size) = (0.0, 0.0)
          for (row, weights) in weights.enumerated() {
            let product = Double(weights[column]) * Double(x[i * range.count + row])
            exact += product
            size += abs(product)
          }
          #expect(abs(Double(y[i * columns + column]) - exact) <= 2e-6 * size)
        }
      }
    }
  }

  @Test(arguments: KernelSet.all, codes)
  func sameBitsAlwaysAndEverywhere(kernels: KernelSet, code: Int) {
    for (rows, columns, range) in shapes {
      let packed = PackedMatrix(random: 3, rows: rows, columns: columns, code: code)
      let x = randomFloats(7 * range.count, seed: 4)
      let expected = multiply(packed, range, x, count: 7, with: .portable)
      #expect(sameBits(multiply(packed, range, x, count: 7, with: kernels), expected))
      for i in 0..<7 {
        let one = Array(x[i * range.count..<(i + 1) * range.count])
        #expect(
          sameBits(
            multiply(packed, range, one, count: 1, with: kernels),
            Array(expected[i * columns..<(i + 1) * columns])))
      }
    }
  }
}

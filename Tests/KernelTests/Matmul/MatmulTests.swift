import SIMDKernels
import TestSupport
import Testing

private let packedCodes = [VL2_CODE_I8, VL2_CODE_Q4]
private let allCodes = [VL2_CODE_F32, VL2_CODE_BF16, VL2_CODE_I8, VL2_CODE_Q4]

/// Rows and columns that are no multiple of anything, and a few that are.
private let shapes = [
  (1, 1), (1, 16), (1, 17), (2, 33), (16, 48), (17, 64), (31, 72), (648, 72), (3000, 16), (48, 588),
  (40, 592),
  (33, 896), (16, 1280), (17, 4304),
]
private let counts = [1, 2, 7, 37]

/// Results of matmul_i8, [count][rows]; a column past the last row must stay untouched.
private func multiplyInt8(
  _ packed: PackedMatrix, _ x: QuantizedRows, count: Int, with kernels: KernelSet, index: [UInt32]? = nil,
  bias: [Float]? = nil, blocks: Range<Int>? = nil
) -> [Float] {
  var matrix = packed.matrix
  let blocks = blocks ?? 0..<packed.blocks
  let stride = packed.rows + 5
  var y = [Float](repeating: 1234.5, count: count * stride)
  withOptional(index) { index in
    withOptional(bias) { bias in
      kernels.functions.matmul_i8(
        &matrix, blocks.lowerBound, blocks.upperBound, x.storage.start, x.step, index, count, bias, &y, stride
      )
    }
  }
  return withoutMargin(&y, rows: packed.rows, stride: stride)
}

private func multiplyFloat32(
  _ packed: PackedMatrix, _ x: [Float], count: Int, with kernels: KernelSet, index: [UInt32]? = nil,
  bias: [Float]? = nil, blocks: Range<Int>? = nil
) -> [Float] {
  var matrix = packed.matrix
  let blocks = blocks ?? 0..<packed.blocks
  let stride = packed.rows + 5
  var y = [Float](repeating: 1234.5, count: count * stride)
  let scratch = AlignedBytes(count: 64 * packed.columns, filledWith: 0xFF)
  withOptional(index) { index in
    withOptional(bias) { bias in
      ([0] + x).withUnsafeBufferPointer { x in
        kernels.functions.matmul_f32(
          &matrix, blocks.lowerBound, blocks.upperBound, x.baseAddress! + 1, packed.columns, index, count,
          bias,
          &y, stride, scratch.floats)
      }
    }
  }
  return withoutMargin(&y, rows: packed.rows, stride: stride)
}

private func withOptional<T>(_ array: [T]?, _ body: (UnsafePointer<T>?) -> Void) {
  if let array { array.withUnsafeBufferPointer { body($0.baseAddress) } } else { body(nil) }
}

private func withoutMargin(_ y: inout [Float], rows: Int, stride: Int) -> [Float] {
  var out: [Float] = []
  for row in 0..<y.count / stride {
    out += y[row * stride..<row * stride + rows]
    #expect(y[row * stride + rows..<(row + 1) * stride].allSatisfy { $0 == 1234.5 })
  }
  return out
}

/// The exact product of decoded weights and activations, and the sum of the products' sizes.
private func exactProduct(_ weights: [Float], _ x: [Double]) -> (value: Double, size: Double) {
  var value = 0.0
  var size = 0.0
  for (w, x) in zip(weights, x) {
    value += Double(w) * x
    size += abs(Double(w) * x)
  }
  return (value, size)
}

@Suite struct MatmulInt8Tests {
  @Test(arguments: packedCodes)
  func portableIsRight(code: Int) {
    for (rows, columns) in shapes {
      let packed = PackedMatrix(random: 1, rows: rows, columns: columns, code: code)
      let x = QuantizedRows((0..<2).map { randomFloats(columns, seed: UInt64($0)) })
      let bias = randomFloats(rows, seed: 5)
      let y = multiplyInt8(packed, x, count: 2, with: .portable, bias: bias)
      for row in stride(from: 0, to: rows, by: rows > 100 ? 13 : 1) {
        let weights = packed.decoded(row: row)
        for i in 0..<2 {
          let exact = exactProduct(weights, x.dequantized(i))
          let found = Double(y[i * rows + row])
          #expect(abs(found - exact.value - Double(bias[row])) <= 1e-6 * (exact.size + 1))
        }
      }
    }
  }

  @Test(arguments: KernelSet.others, packedCodes)
  func sameBitsAsPortable(kernels: KernelSet, code: Int) {
    for (rows, columns) in shapes {
      let packed = PackedMatrix(random: 1, rows: rows, columns: columns, code: code)
      let x = QuantizedRows((0..<37).map { randomFloats(columns, seed: UInt64($0), scale: 2) })
      let bias = randomFloats(rows, seed: 5)
      let most = rows * columns > 30_000 ? [1, 9] : counts
      for count in most {
        for bias in [nil, bias] {
          let expected = multiplyInt8(packed, x, count: count, with: .portable, bias: bias)
          let found = multiplyInt8(packed, x, count: count, with: kernels, bias: bias)
          #expect(sameBits(expected, found), "\(rows) x \(columns), \(count) rows")
        }
      }
    }
  }

  /// The largest sums that codes, scales and activations can make.
  @Test(arguments: KernelSet.others, packedCodes)
  func extremeBytes(kernels: KernelSet, code: Int) {
    for columns in [80, 592] {
      for pattern in 0..<6 {
        var random = SplitMix64(seed: UInt64(pattern))
        let packed = PackedMatrix(random: 1, rows: 16, columns: columns, code: code)
        for index in packed.storage.bytes.indices {
          switch pattern {
          case 0: packed.storage.bytes[index] = 0
          case 1: packed.storage.bytes[index] = 0xFF
          case 2: packed.storage.bytes[index] = 0x80
          case 3: packed.storage.bytes[index] = 0x7F
          default: packed.storage.bytes[index] = UInt8(truncatingIfNeeded: random.next())
          }
        }
        for sign in [Float(1), -1] {
          let x = QuantizedRows((0..<7).map { _ in [Float](repeating: sign * 2, count: columns) })
          let expected = multiplyInt8(packed, x, count: 7, with: .portable)
          #expect(sameBits(expected, multiplyInt8(packed, x, count: 7, with: kernels)), "pattern \(pattern)")
        }
      }
    }
  }

  @Test(arguments: KernelSet.all, packedCodes)
  func rowsAreIndependent(kernels: KernelSet, code: Int) {
    let (rows, columns, count) = (40, 592, 530)
    let packed = PackedMatrix(random: 2, rows: rows, columns: columns, code: code)
    let x = QuantizedRows((0..<count).map { randomFloats(columns, seed: UInt64($0)) })
    let all = multiplyInt8(packed, x, count: count, with: kernels)
    for chunk in [1, 7, 512] {
      for first in stride(from: 0, to: count, by: chunk == 1 ? 41 : chunk) {
        let index = (first..<min(count, first + chunk)).map { UInt32($0) }
        let part = multiplyInt8(packed, x, count: index.count, with: kernels, index: index)
        #expect(sameBits(part, Array(all[first * rows..<(first + index.count) * rows])), "chunk \(chunk)")
      }
    }
    let index: [UInt32] = [529, 3, 3, 100, 0, 77, 528, 5, 5, 5, 1]
    let gathered = multiplyInt8(packed, x, count: index.count, with: kernels, index: index)
    #expect(sameBits(gathered, index.flatMap { all[Int($0) * rows..<(Int($0) + 1) * rows] }))
  }

  @Test(arguments: KernelSet.all, packedCodes)
  func blocksAreIndependent(kernels: KernelSet, code: Int) {
    let packed = PackedMatrix(random: 3, rows: 72, columns: 50, code: code)
    let x = QuantizedRows((0..<3).map { randomFloats(50, seed: UInt64($0)) })
    let all = multiplyInt8(packed, x, count: 3, with: kernels)
    for blocks in [0..<1, 1..<3, 4..<5, 2..<2] {
      let part = multiplyInt8(packed, x, count: 3, with: kernels, blocks: blocks)
      for i in 0..<3 {
        for row in 0..<72 {
          let expected = blocks.contains(row / 16) ? all[i * 72 + row] : 1234.5
          #expect(part[i * 72 + row] == expected)
        }
      }
    }
  }
}

@Suite struct GatedTests {
  /// Results of gated_i8, [count][rows]; a column past the last row must stay untouched.
  private func multiplyGated(
    _ gate: PackedMatrix, _ up: PackedMatrix, _ x: QuantizedRows, count: Int, with kernels: KernelSet,
    index: [UInt32]?
  ) -> [Float] {
    var (gateMatrix, upMatrix) = (gate.matrix, up.matrix)
    let stride = gate.rows + 5
    var y = [Float](repeating: 1234.5, count: count * stride)
    // In two parts, as two threads would.
    for blocks in [0..<gate.blocks / 2, gate.blocks / 2..<gate.blocks] {
      withOptional(index) { index in
        kernels.functions.gated_i8(
          &gateMatrix, &upMatrix, blocks.lowerBound, blocks.upperBound, x.storage.start, x.step, index, count,
          &y, stride)
      }
    }
    return withoutMargin(&y, rows: gate.rows, stride: stride)
  }

  @Test(arguments: KernelSet.all, packedCodes)
  func sameBitsAsItsParts(kernels: KernelSet, code: Int) {
    for (rows, columns) in shapes {
      let gate = PackedMatrix(random: 1, rows: rows, columns: columns, code: code)
      let up = PackedMatrix(random: 2, rows: rows, columns: columns, code: code)
      let most = 70
      let x = QuantizedRows((0..<most).map { randomFloats(columns, seed: UInt64($0), scale: 20) })
      for count in rows * columns > 30_000 ? [1, 9] : [1, 2, 5, 37, most] {
        for index in [nil, (0..<count).map { UInt32((count - 1 - $0) * 7 % most) }] {
          let gates = multiplyInt8(gate, x, count: count, with: .portable, index: index)
          let ups = multiplyInt8(up, x, count: count, with: .portable, index: index)
          var expected = [Float](repeating: 0, count: gates.count)
          KernelSet.portable.functions.silu_multiply(gates, ups, &expected, gates.count)
          let found = multiplyGated(gate, up, x, count: count, with: kernels, index: index)
          #expect(sameBits(expected, found), "\(rows) x \(columns), \(count) rows")
        }
      }
    }
  }
}

@Suite struct MatmulFloat32Tests {
  @Test(arguments: allCodes)
  func portableIsRight(code: Int) {
    for (rows, columns) in shapes {
      let packed = PackedMatrix(random: 1, rows: rows, columns: columns, code: code)
      let x = randomFloats(3 * columns, seed: 2)
      let bias = randomFloats(rows, seed: 5)
      let y = multiplyFloat32(packed, x, count: 3, with: .portable, bias: bias)
      for row in stride(from: 0, to: rows, by: rows > 100 ? 13 : 1) {
        let weights = packed.decoded(row: row)
        for i in 0..<3 {
          // In column order, every product and every sum rounded: exactly this.
          var expected: Float = 0
          for column in 0..<columns { expected += weights[column] * x[i * columns + column] }
          #expect(y[i * rows + row] == expected + bias[row])
          let exact = exactProduct(weights, x[i * columns..<(i + 1) * columns].map { Double($0) })
          #expect(abs(Double(y[i * rows + row]) - exact.value - Double(bias[row])) <= 1e-5 * (exact.size + 1))
        }
      }
    }
  }

  @Test(arguments: KernelSet.others, allCodes)
  func sameBitsAsPortable(kernels: KernelSet, code: Int) {
    for (rows, columns) in shapes {
      let packed = PackedMatrix(random: 1, rows: rows, columns: columns, code: code)
      let x = randomFloats(37 * columns, seed: 4)
      let bias = randomFloats(rows, seed: 5)
      for count in counts {
        for bias in [nil, bias] {
          let expected = multiplyFloat32(packed, x, count: count, with: .portable, bias: bias)
          let found = multiplyFloat32(packed, x, count: count, with: kernels, bias: bias)
          #expect(sameBits(expected, found), "\(rows) x \(columns), \(count) rows")
        }
      }
    }
  }

  @Test(arguments: KernelSet.all, allCodes)
  func rowsAreIndependent(kernels: KernelSet, code: Int) {
    let (rows, columns, count) = (130, 150, 29)
    let packed = PackedMatrix(random: 2, rows: rows, columns: columns, code: code)
    let x = randomFloats(count * columns, seed: 6)
    let all = multiplyFloat32(packed, x, count: count, with: kernels)
    for index in [[UInt32(0)], [28], [3, 3, 17], (0..<29).reversed().map { UInt32($0) }] {
      let part = multiplyFloat32(packed, x, count: index.count, with: kernels, index: index)
      #expect(sameBits(part, index.flatMap { all[Int($0) * rows..<(Int($0) + 1) * rows] }))
    }
    for blocks in [0..<1, 1..<8, 8..<9] {
      for count in [1, 5] {
        let part = multiplyFloat32(packed, x, count: count, with: kernels, blocks: blocks)
        for i in 0..<count {
          for row in 0..<rows {
            let expected = blocks.contains(row / 16) ? all[i * rows + row] : 1234.5
            #expect(part[i * rows + row] == expected)
          }
        }
      }
    }
  }

  @Test(arguments: KernelSet.all)
  func infinitiesStayInTheirRow(kernels: KernelSet) {
    let packed = PackedMatrix(random: 2, rows: 16, columns: 40, code: VL2_CODE_Q4)
    var x = randomFloats(9 * 40, seed: 6)
    let clean = multiplyFloat32(packed, x, count: 9, with: kernels)
    x[4 * 40 + 3] = .infinity
    x[5 * 40 + 3] = .nan
    let found = multiplyFloat32(packed, x, count: 9, with: kernels)
    for i in [0, 1, 2, 3, 6, 7, 8] {
      #expect(sameBits(Array(clean[i * 16..<i * 16 + 16]), Array(found[i * 16..<i * 16 + 16])))
    }
    #expect(found[4 * 16..<6 * 16].allSatisfy { !$0.isFinite })
  }
}

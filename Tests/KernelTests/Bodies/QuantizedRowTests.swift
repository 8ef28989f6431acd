import SIMDKernels
import Testing

/// Rows of int8 activations, as a kernel made them.
struct QuantizedRows {
  let columns: Int
  let step: Int
  let storage: AlignedBytes

  init(_ rows: [[Float]], group: Int = 32, with kernels: KernelSet = .portable) {
    columns = rows.first?.count ?? 0
    step = vl2_quantized_row_bytes(columns)
    storage = AlignedBytes(count: step * rows.count, filledWith: 0x55)
    // One float further than needed, so that rows are not aligned.
    let stride = columns + 3
    let flat: [Float] = [0] + rows.flatMap { (row: [Float]) -> [Float] in row + [.nan, .nan, .nan] }
    flat.withUnsafeBufferPointer {
      kernels.functions.quantize_rows(
        $0.baseAddress! + 1, stride, rows.count, columns, group, storage.start, step)
    }
  }

  var padded: Int { (columns + 31) / 32 * 32 }
  func value(_ row: Int, _ column: Int) -> Int8 {
    storage.bytes.load(fromByteOffset: row * step + column, as: Int8.self)
  }
  func scale(_ row: Int, group: Int) -> Float {
    storage.bytes.load(fromByteOffset: row * step + padded + group * 4, as: Float.self)
  }
  func offset(_ row: Int, group: Int) -> Int32 {
    storage.bytes.load(fromByteOffset: row * step + padded / 8 * 9 + group * 4, as: Int32.self)
  }
  /// What the row stands for.
  func dequantized(_ row: Int) -> [Double] {
    (0..<columns).map { Double(scale(row, group: $0 / 32)) * Double(value(row, $0)) }
  }
}

@Suite struct QuantizedRowTests {
  private static let widths = [1, 16, 17, 31, 32, 33, 72, 588, 592, 1280, 4304]

  @Test(arguments: widths)
  func formula(columns: Int) {
    let rows = (0..<3).map { randomFloats(columns, seed: UInt64($0), scale: 3) }
    let quantized = QuantizedRows(rows)
    #expect(quantized.step % 64 == 0)
    for (index, row) in rows.enumerated() {
      for group in 0..<quantized.padded / 32 {
        let values = row[group * 32..<min(columns, group * 32 + 32)]
        let largest = values.map(abs).max() ?? 0
        #expect(quantized.scale(index, group: group) == largest / 127)
        for (place, value) in values.enumerated() {
          let expected = (value * (127 / largest)).rounded(.toNearestOrEven)
          #expect(Float(quantized.value(index, group * 32 + place)) == expected)
        }
      }
      for group in 0..<quantized.padded / 16 {
        let sum = (group * 16..<group * 16 + 16).reduce(Int32(0)) { $0 + Int32(quantized.value(index, $1)) }
        #expect(quantized.offset(index, group: group) == -128 * sum)
      }
      for column in columns..<quantized.padded { #expect(quantized.value(index, column) == 0) }
    }
  }

  @Test func oneScaleForARow() {
    var row = randomFloats(100, seed: 1)
    row[70] = -50
    let quantized = QuantizedRows([row], group: 0)
    for group in 0..<4 { #expect(quantized.scale(0, group: group) == Float(50) / 127) }
    #expect(quantized.value(0, 70) == -127)
  }

  @Test(arguments: KernelSet.others, [0, 32])
  func sameBytesOnEveryInstructionSet(kernels: KernelSet, group: Int) {
    for columns in Self.widths {
      var rows = (0..<5).map { randomFloats(columns, seed: UInt64($0), scale: 3) }
      rows[1][columns / 2] = .nan
      rows[2][columns - 1] = .infinity
      rows[3] = rows[3].map { $0 * 1e-38 }
      rows[4] = rows[4].map { $0 * 1e37 }
      let expected = QuantizedRows(rows, group: group)
      let found = QuantizedRows(rows, group: group, with: kernels)
      #expect(expected.storage.equals(found.storage), "\(columns) columns")
    }
  }

  @Test func valuesThatAreNotFiniteCountAsZero() {
    var row = [Float](repeating: 1, count: 40)
    row[3] = .nan
    row[4] = .infinity
    row[5] = -.infinity
    let quantized = QuantizedRows([row, Array(repeating: .nan, count: 40), Array(repeating: 0, count: 40)])
    #expect(quantized.dequantized(0)[3...6] == [0, 0, 0, Double(Float(1) / 127) * 127])
    #expect(quantized.scale(0, group: 0) == Float(1) / 127)
    #expect(quantized.dequantized(1).allSatisfy { $0 == 0 })
    #expect(quantized.scale(2, group: 1) == 0)
  }
}

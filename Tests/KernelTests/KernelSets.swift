import SIMDKernels
import TestSupport
import Testing

/// The kernels of one instruction set.
struct KernelSet: CustomTestStringConvertible, @unchecked Sendable {
  let table: UnsafePointer<vl2_kernels>

  var name: String { String(cString: table.pointee.name) }
  var testDescription: String { name }
  var functions: vl2_kernels { table.pointee }

  /// Everything that this processor runs, portable first.
  static let all: [KernelSet] = {
    var sets: [KernelSet] = []
    while let table = vl2_kernels_at(sets.count) { sets.append(KernelSet(table: table)) }
    return sets
  }()
  static let portable = all[0]
  static let others = Array(all.dropFirst())
}

/// Bytes on a 64-byte boundary that live as long as this object.
final class AlignedBytes {
  let bytes: UnsafeMutableRawBufferPointer

  init(count: Int, filledWith byte: UInt8 = 0) {
    bytes = .allocate(byteCount: max(count, 64), alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: byte)
  }

  deinit { bytes.deallocate() }

  func equals(_ other: AlignedBytes) -> Bool { bytes.elementsEqual(other.bytes) }

  var start: UnsafeMutablePointer<UInt8> { bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) }
  var floats: UnsafeMutablePointer<Float> { bytes.baseAddress!.assumingMemoryBound(to: Float.self) }
}

/// A matrix of float32 and the same packed.
struct PackedMatrix {
  let rows: Int
  let columns: Int
  let code: Int
  let weights: [Float]
  let storage: AlignedBytes
  /// Sums of squares as the encoder reports them.
  private(set) var error = 0.0
  private(set) var energy = 0.0

  init(_ weights: [Float], rows: Int, columns: Int, code: Int, with kernels: KernelSet = .portable) {
    self.rows = rows
    self.columns = columns
    self.code = code
    self.weights = weights
    let blockBytes = vl2_block_bytes(UInt32(code), columns)
    // Two matrices alternate: every second block belongs to something else.
    storage = AlignedBytes(count: (rows + 15) / 16 * 2 * blockBytes, filledWith: 0xAA)
    weights.withUnsafeBufferPointer { weights in
      for block in 0..<(rows + 15) / 16 {
        error += kernels.functions.encode_block(
          UInt32(code), weights.baseAddress! + block * 16 * columns, columns, min(16, rows - block * 16),
          columns, storage.start + block * 2 * blockBytes, &energy)
      }
    }
  }

  /// Normally distributed weights.
  init(random seed: UInt64, rows: Int, columns: Int, code: Int) {
    var random = SplitMix64(seed: seed)
    self.init(
      (0..<rows * columns).map { _ in random.normal() * 0.02 }, rows: rows, columns: columns, code: code)
  }

  var matrix: vl2_matrix {
    vl2_matrix(
      blocks: storage.start, block_step: 2 * vl2_block_bytes(UInt32(code), columns), code: UInt32(code),
      rows: UInt32(rows), columns: UInt32(columns))
  }

  var blocks: Int { (rows + 15) / 16 }

  func decoded(row: Int) -> [Float] {
    var out = [Float](repeating: .nan, count: columns)
    var matrix = matrix
    vl2_decode_row(&matrix, row, &out)
    return out
  }
}

func randomFloats(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
  var random = SplitMix64(seed: seed)
  return (0..<count).map { _ in random.normal() * scale }
}

/// The same bits, where any two values that are not numbers count as the same: their bits depend on the processor.
func sameBits(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) }
}

let codeNames = ["f32", "bf16", "int8", "q4"]

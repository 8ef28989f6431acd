import SIMDKernels
import VL2Base
import VL2Quant
import VL2Run

/// The speed of each kernel of each instruction set, alone on one thread.
package struct KernelTimes: Sendable {
  /// One kernel of one instruction set on operands of one size.
  package struct Entry: Sendable, Equatable {
    /// As `VL2_ISA` names it.
    package var isa: String
    /// For example "matmul_i8 q4".
    package var name: String
    /// For example "896 x 1280, 1 row".
    package var shape: String
    /// Seconds of one call: the least of several measurements.
    package var seconds: Double
    /// Bytes that a call reads and writes, each counted once.
    package var bytes: Int
    /// Operations of a product: each multiply-add counts as two. 0 for a kernel that multiplies no matrices.
    package var operations: Double
    /// The fraction of the most that the instruction set can do, in int8 products or float32, whichever the
    /// kernel uses; nil if `operations` is 0.
    package var peakShare: Double?
  }

  /// The most operations a second that an instruction set can do on one thread.
  package struct Peak: Sendable, Equatable {
    package var isa: String
    package var int8: Double
    package var float32: Double
  }

  package private(set) var entries: [Entry] = []
  package private(set) var peaks: [Peak] = []

  /// Measures everything that this processor runs.
  ///
  /// - Parameters:
  ///   - seconds: for each kernel.
  ///   - progress: is told which instruction set is measured next.
  package init(seconds: Double = 0.05, progress: (String) -> Void = { _ in }) {
    let operands = Operands()
    var index = 0
    while let table = vl2_kernels_at(index) {
      index += 1
      let kernels = table.pointee
      let isa = String(cString: kernels.name)
      progress(isa)
      var peak = PeakSpeed(pool: WorkerPool(threads: 1), kernels: kernels)
      for _ in 0..<3 { peak.measure() }
      peaks.append(Peak(isa: isa, int8: peak.int8, float32: peak.float32))
      for work in operands.works(kernels) {
        let took = Self.least(seconds, work.call)
        let limit = work.isInt8 ? peak.int8 : peak.float32
        entries.append(
          Entry(
            isa: isa, name: work.name, shape: work.shape, seconds: took, bytes: work.bytes,
            operations: work.operations,
            peakShare: work.operations > 0 ? work.operations / took / limit : nil))
      }
    }
  }

  /// The least time of a call, from batches that each take long enough to be measured.
  private static func least(_ budget: Double, _ call: () -> Void) -> Double {
    call()
    var batch = 1
    while true {
      let took = VL2Measure.seconds { for _ in 0..<batch { call() } }
      if took >= budget / 8 || batch >= 1 << 30 {
        var least = took / Double(batch)
        for _ in 0..<6 {
          least = min(least, VL2Measure.seconds { for _ in 0..<batch { call() } } / Double(batch))
        }
        return least
      }
      batch *= 2
    }
  }
}

/// A kernel with operands to call it with.
private struct KernelWork {
  var name: String
  var shape: String
  var bytes: Int
  var operations = 0.0
  var isInt8 = false
  var call: () -> Void
}

/// Operands of the sizes that DeepSeek-VL2-Tiny has: an expert's gate, its hidden rows, its heads. They are made once and
/// live as long as this object.
private final class Operands {
  private static let rows = 896
  private static let columns = 1280
  private static let most = 64
  private static let keys = 1024
  private static let headSize = 128

  private let floats = AlignedBuffer()
  private let output = AlignedBuffer()
  private let scratch = AlignedBuffer()
  private let quantized = AlignedBuffer()
  private let keyValues = AlignedBuffer()

  private struct Matrix {
    var code: WeightCode
    var buffer: AlignedBuffer
    var matrix: vl2_matrix
    var bytes: Int
  }
  private let matrices: [Matrix]

  private let x: UnsafeMutablePointer<Float>
  private let y: UnsafeMutablePointer<Float>
  private let work: UnsafeMutablePointer<Float>
  private let x8: UnsafeMutablePointer<UInt8>
  private let keyValueBlocks: UnsafeMutablePointer<UInt8>
  private let step = vl2_quantized_row_bytes(Operands.columns)

  init() {
    let kernels = vl2_kernels_active().pointee
    let count = 16 * Self.rows + Self.most * Self.columns + 2 * Self.keys * Self.headSize
    x = floats.reserve(count)
    var random = RandomBits(state: 9)
    for i in 0..<count { x[i] = Float(Int(random.next() % 2001) - 1000) / 1000 }
    y = output.reserve(max(Self.most * Self.rows, Self.most * Self.columns))
    y.initialize(repeating: 0, count: max(Self.most * Self.rows, Self.most * Self.columns))
    let (keys, size) = (Self.keys, Self.headSize)
    work = scratch.reserve(
      max(16 * Self.columns, vl2_attention_scratch(keys), vl2_attention_i8_scratch(keys, size) / 4))
    keyValueBlocks = keyValues.reserve(keys / 32 * vl2_key_value_block_bytes(size, size))
    kernels.store_key_values(keyValueBlocks, 0, keys, x, size, size, x + keys * size, size, size)
    x8 = quantized.reserve(Self.most * step)
    kernels.quantize_rows(x, Self.columns, Self.most, Self.columns, 32, x8, step)
    // The values of the weights do not matter, so each block is the first rows of x.
    matrices = [WeightCode.q4, .int8, .bf16].map { [x] code in
      let kernelCode = code.kernelCode ?? 0
      let bytes = vl2_block_bytes(kernelCode, Self.columns)
      let buffer = AlignedBuffer()
      let blocks: UnsafeMutablePointer<UInt8> = buffer.reserve(Self.rows / 16 * bytes)
      var energy = 0.0
      for block in 0..<Self.rows / 16 {
        _ = kernels.encode_block(
          kernelCode, x + block * 16, Self.columns, 16, Self.columns, blocks + block * bytes, &energy)
      }
      let matrix = vl2_matrix(
        blocks: blocks, block_step: bytes, code: kernelCode, rows: UInt32(Self.rows),
        columns: UInt32(Self.columns))
      return Matrix(code: code, buffer: buffer, matrix: matrix, bytes: Self.rows / 16 * bytes)
    }
  }

  func works(_ kernels: vl2_kernels) -> [KernelWork] {
    products(kernels)
      + [1, Self.most].flatMap { [attention(kernels, queries: $0), attentionInt8(kernels, queries: $0)] }
      + [storing(kernels)] + rowWorks(kernels)
  }

  private func products(_ kernels: vl2_kernels) -> [KernelWork] {
    var works: [KernelWork] = []
    let (rows, columns) = (Self.rows, Self.columns)
    for matrix in matrices {
      let operations = 2 * Double(rows * columns)
      func shape(_ count: Int) -> String { "\(rows) x \(columns), \(count) row\(count == 1 ? "" : "s")" }
      for count in [1, 2, 4, 8, 64] where matrix.code != .bf16 {
        works.append(
          KernelWork(
            name: "matmul_i8 \(matrix.code.rawValue)", shape: shape(count),
            bytes: matrix.bytes + count * (step + rows * 4), operations: operations * Double(count),
            isInt8: true
          ) { [self] in
            var matrix = matrix.matrix
            kernels.matmul_i8(&matrix, 0, rows / 16, x8, step, nil, count, nil, y, rows)
          })
      }
      for count in [1, 64] where matrix.code != .bf16 {
        works.append(
          KernelWork(
            name: "gated_i8 \(matrix.code.rawValue)", shape: "2 x " + shape(count),
            bytes: 2 * matrix.bytes + count * (step + rows * 4), operations: 2 * operations * Double(count),
            isInt8: true
          ) { [self] in
            var matrix = matrix.matrix
            kernels.gated_i8(&matrix, &matrix, 0, rows / 16, x8, step, nil, count, y, rows)
          })
      }
      for count in [1, 64] {
        works.append(
          KernelWork(
            name: "matmul_f32 \(matrix.code.rawValue)", shape: shape(count),
            bytes: matrix.bytes + count * (columns + rows) * 4, operations: operations * Double(count)
          ) { [self] in
            var matrix = matrix.matrix
            kernels.matmul_f32(&matrix, 0, rows / 16, x, columns, nil, count, nil, y, rows, work)
          })
      }
    }
    return works
  }

  private func attention(_ kernels: vl2_kernels, queries: Int) -> KernelWork {
    let (keys, size) = (Self.keys, Self.headSize)
    return KernelWork(
      name: "attention", shape: "\(queries) x \(keys) keys of \(size)",
      bytes: (2 * keys + 2 * queries) * size * 4, operations: 4 * Double(queries * keys * size)
    ) { [self] in
      var arguments = vl2_attention_args()
      arguments.query = UnsafePointer(x)
      arguments.query_stride = size
      arguments.queries = queries
      arguments.keys = UnsafePointer(x)
      arguments.key_block_step = 16 * size
      arguments.values = UnsafePointer(x + keys * size)
      arguments.value_stride = size
      arguments.key_count = keys
      arguments.key_dim = size
      arguments.value_dim = size
      arguments.visible = 1
      arguments.scale = 0.1
      arguments.out = y
      arguments.out_stride = size
      arguments.scratch = work
      kernels.attention(&arguments)
    }
  }

  private func attentionInt8(_ kernels: vl2_kernels, queries: Int) -> KernelWork {
    let (keys, size) = (Self.keys, Self.headSize)
    return KernelWork(
      name: "attention_i8", shape: "\(queries) x \(keys) keys of \(size)",
      bytes: keys / 32 * vl2_key_value_block_bytes(size, size) + 2 * queries * size * 4,
      operations: 4 * Double(queries * keys * size), isInt8: true
    ) { [self] in
      var arguments = vl2_attention_i8_args()
      arguments.query = UnsafePointer(x)
      arguments.query_stride = size
      arguments.queries = queries
      arguments.blocks = UnsafePointer(keyValueBlocks)
      arguments.key_count = keys
      arguments.key_dim = size
      arguments.value_dim = size
      arguments.visible = 1
      arguments.scale = 0.1
      arguments.out = y
      arguments.out_stride = size
      arguments.scratch = UnsafeMutableRawPointer(work)
      kernels.attention_i8(&arguments)
    }
  }

  private func storing(_ kernels: vl2_kernels) -> KernelWork {
    let (keys, size) = (Self.keys, Self.headSize)
    let bytes = (keys + 31) / 32 * vl2_key_value_block_bytes(size, size)
    return KernelWork(
      name: "store_key_values", shape: "\(keys) x 2 x \(size)", bytes: bytes + 2 * keys * size * 4
    ) { [self] in
      kernels.store_key_values(keyValueBlocks, 0, keys, x, size, size, x + keys * size, size, size)
    }
  }

  private func rowWorks(_ kernels: vl2_kernels) -> [KernelWork] {
    let (columns, most) = (Self.columns, Self.most)
    let count = columns * most
    let shape = "\(most) x \(columns)"
    let q4 = vl2_block_bytes(UInt32(VL2_CODE_Q4), columns)
    return [
      KernelWork(name: "quantize_rows", shape: shape, bytes: count * 4 + most * step) { [self] in
        kernels.quantize_rows(x, columns, most, columns, 32, x8, step)
      },
      KernelWork(name: "encode_block q4", shape: "16 x \(columns)", bytes: 16 * columns * 4 + q4) { [self] in
        var energy = 0.0
        let bytes = UnsafeMutableRawPointer(work).assumingMemoryBound(to: UInt8.self)
        _ = kernels.encode_block(UInt32(VL2_CODE_Q4), x, columns, 16, columns, bytes, &energy)
      },
      KernelWork(name: "rms_norm", shape: shape, bytes: count * 8) { [self] in
        kernels.rms_norm(x, columns, most, columns, x, 1e-6, y, columns)
      },
      KernelWork(name: "layer_norm", shape: shape, bytes: count * 8) { [self] in
        kernels.layer_norm(x, columns, most, columns, x, x, 1e-6, y, columns)
      },
      KernelWork(name: "softmax", shape: "\(columns)", bytes: columns * 8) { [self] in
        kernels.softmax(y, columns)
      },
      KernelWork(name: "gelu_tanh", shape: shape, bytes: count * 8) { [self] in kernels.gelu_tanh(y, count) },
      KernelWork(name: "silu_multiply", shape: shape, bytes: count * 12) { [self] in
        kernels.silu_multiply(x, x, y, count)
      },
      KernelWork(name: "add", shape: shape, bytes: count * 12) { [self] in kernels.add(y, x, count) },
      KernelWork(name: "rope_halves", shape: "10 x 128", bytes: 10 * 128 * 8) { [self] in
        kernels.rope_halves(y, 10, 128, x, x + 64)
      },
      KernelWork(name: "argmax", shape: "\(count)", bytes: count * 4) { [self] in _ = kernels.argmax(x, count)
      },
    ]
  }
}

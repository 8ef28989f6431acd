import SIMDKernels

/// One product of a parallel job: rows of `input` (or those that `index` names) with a matrix.
package struct Product: BitwiseCopyable {
  package var linear: Linear
  /// A matrix of the same shape that gates the product: the output is silu(gate x) * (linear x).
  package var gate: Linear?
  package var input: PreparedRows
  /// Rows of `input` to take, in order; nil for the first `count`.
  package var index: UnsafePointer<UInt32>?
  package var count: Int
  package var output: Rows

  package init(
    _ linear: Linear, gate: Linear? = nil, _ input: PreparedRows, index: UnsafePointer<UInt32>? = nil,
    count: Int, into output: Rows
  ) {
    self.linear = linear
    self.gate = gate
    self.input = input
    self.index = index
    self.count = count
    self.output = output
  }
}

extension Product {
  /// The rows that the product takes, as they were before they became int8, and which of them; nil for the first.
  package var tapped: (rows: Rows, index: UnsafePointer<UInt32>?) { (input.source, index) }
}

extension Product {
  /// Scratch of one thread.
  struct Scratch {
    /// For a block decoded to float32.
    var decoded: UnsafeMutablePointer<Float>
    /// For the gate's product of a block.
    var gated: UnsafeMutablePointer<Float>
  }

  /// Whether a matrix of this product is decoded to float32, a block at a time, and multiplied by float32
  /// rows.
  var decodes: Bool {
    input.quantized == nil || !linear.takesInt8 || gate?.takesInt8 == false
  }

  /// Computes blocks of 16 outputs for rows of the input.
  func compute(rows: Range<Int>, blocks: Range<Int>, scratch: Scratch) {
    let kernels = vl2_kernels_active().pointee
    let output = output.slice(rows)
    guard let gate else {
      return multiply(linear, rows: rows, blocks: blocks, scratch: scratch, into: output)
    }
    if let quantized = input.quantized, gate.takesInt8, gate.matrix.code == linear.matrix.code {
      var (gate, up) = (gate.matrix, linear.matrix)
      let skipped = index == nil ? rows.lowerBound : 0
      return kernels.gated_i8(
        &gate, &up, blocks.lowerBound, blocks.upperBound, quantized + skipped * input.quantizedStep,
        input.quantizedStep, index.map { $0 + rows.lowerBound }, rows.count, output.base, output.stride)
    }
    // Block by block, as the kernel does.
    let gated = Rows(scratch.gated, count: rows.count, columns: 16)
    for block in blocks {
      let columns = block * 16..<min(gate.outputs, block * 16 + 16)
      let up = Rows(
        output.base + columns.lowerBound, count: rows.count, columns: columns.count, stride: output.stride)
      multiply(gate.covering(rows: columns).linear, rows: rows, blocks: 0..<1, scratch: scratch, into: gated)
      multiply(linear.covering(rows: columns).linear, rows: rows, blocks: 0..<1, scratch: scratch, into: up)
      for row in 0..<rows.count { kernels.silu_multiply(gated[row], up[row], up[row], columns.count) }
    }
  }

  /// The product of rows of the input with one matrix.
  private func multiply(
    _ linear: Linear, rows: Range<Int>, blocks: Range<Int>, scratch: Scratch, into out: Rows
  ) {
    let kernels = vl2_kernels_active().pointee
    var matrix = linear.matrix
    let index = index.map { $0 + rows.lowerBound }
    let skipped = index == nil ? rows.lowerBound : 0
    if let quantized = input.quantized, linear.takesInt8 {
      kernels.matmul_i8(
        &matrix, blocks.lowerBound, blocks.upperBound, quantized + skipped * input.quantizedStep,
        input.quantizedStep, index, rows.count, linear.bias, out.base, out.stride)
    } else {
      kernels.matmul_f32(
        &matrix, blocks.lowerBound, blocks.upperBound, input.float[skipped], input.float.stride, index,
        rows.count, linear.bias, out.base, out.stride, scratch.decoded)
    }
  }
}

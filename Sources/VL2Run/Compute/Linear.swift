import SIMDKernels

/// A weight matrix and its bias.
package struct Linear: BitwiseCopyable {
  package var matrix: vl2_matrix
  package var bias: UnsafePointer<Float>?

  package init(_ matrix: vl2_matrix, bias: UnsafePointer<Float>? = nil) {
    self.matrix = matrix
    self.bias = bias
  }

  package var outputs: Int { Int(matrix.rows) }
  package var inputs: Int { Int(matrix.columns) }
  package var blocks: Int { (Int(matrix.rows) + 15) / 16 }
  package var blockBytes: Int { vl2_block_bytes(matrix.code, inputs) }
  package var byteCount: Int { blocks * blockBytes }

  /// The blocks of 16 rows that hold `rows`, as a matrix without bias, and the place of the first of `rows` in it.
  package func covering(rows: Range<Int>) -> (linear: Linear, skipped: Int) {
    let first = rows.lowerBound / 16
    let end = min(outputs, (rows.upperBound + 15) / 16 * 16)
    var part = matrix
    part.blocks += first * matrix.block_step
    part.rows = UInt32(end - first * 16)
    return (Linear(part), rows.lowerBound - first * 16)
  }

  /// Whether kernels multiply it by int8 rows.
  package var takesInt8: Bool {
    matrix.code == UInt32(VL2_CODE_I8) || matrix.code == UInt32(VL2_CODE_Q4)
  }
}

import SIMDKernels

extension TensorEntry {
  /// Number of weights.
  public var weightCount: Int { shape.reduce(1, *) }

  /// Bytes that it takes in the section's raw bytes: whole blocks of 16 rows, or values padded to a multiple
  /// of 64 bytes.
  public var byteCount: Int {
    let extent = WeightExtent(self)
    guard let kernelCode = code.kernelCode else {
      return (extent.rows * MemoryLayout<Float>.size + 63) / 64 * 64
    }
    return vl2_block_bytes(kernelCode, extent.columns) * ((extent.rows + 15) / 16)
  }
}

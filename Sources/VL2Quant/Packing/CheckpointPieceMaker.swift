import SIMDKernels

/// Reads pieces of a checkpoint's weights and encodes them. One for each thread.
struct CheckpointPieceMaker {
  private let checkpoint: Checkpoint
  private let window = WeightWindow()

  init(checkpoint: Checkpoint) { self.checkpoint = checkpoint }

  /// Encodes `rows` of `tensor` into its place among the section's raw bytes.
  func make(_ tensor: TensorEntry, rows: Range<Int>, in section: UnsafeMutableRawBufferPointer) throws -> CodeError {
    let extent = WeightExtent(shape: tensor.shape, code: tensor.code)
    let source = try checkpoint.tensor(tensor.name, shape: tensor.shape)
    let first = rows.lowerBound * extent.columns
    let weights = try window.weights(of: source, first..<first + rows.count * extent.columns)
    var error = CodeError()
    guard let kernelCode = tensor.code.kernelCode else {
      let place = tensor.offset + first * MemoryLayout<Float>.size
      UnsafeMutableRawBufferPointer(rebasing: section[place...]).copyMemory(from: UnsafeRawBufferPointer(weights))
      return error
    }
    for row in stride(from: 0, to: rows.count, by: 16) {
      let place = tensor.offset + (rows.lowerBound + row) / 16 * tensor.blockStep
      let length = vl2_block_bytes(kernelCode, extent.columns)
      let block = UnsafeMutableRawBufferPointer(rebasing: section[place..<place + length])
      let taken = UnsafeBufferPointer(rebasing: weights[(row * extent.columns)...])
      var energy = 0.0
      let lost = vl2_encode_block(
        kernelCode, taken.baseAddress, extent.columns, min(16, rows.count - row), extent.columns,
        block.assumingMemoryBound(to: UInt8.self).baseAddress, &energy)
      error.append(error: lost, energy: energy)
    }
    return error
  }
}

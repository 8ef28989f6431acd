import SIMDKernels

/// Weights that are read from a checkpoint and encoded.
struct CheckpointWeights: WeightSource {
  let checkpoint: Checkpoint
  /// What columns count; nil where all count the same.
  let importance: ColumnImportance?
  private let windows = WindowPool()

  init(_ checkpoint: Checkpoint, importance: ColumnImportance?) {
    self.checkpoint = checkpoint
    self.importance = importance
  }

  func check(_ tensor: TensorEntry) throws {
    _ = try checkpoint.tensor(tensor.name, shape: tensor.shape)
  }

  func write(_ tensor: TensorEntry, rows: Range<Int>, to section: UnsafeMutableRawBufferPointer) throws
    -> CodeError
  {
    let source = try checkpoint.tensor(tensor.name, shape: tensor.shape)
    let columns = WeightExtent(tensor).columns
    let range = rows.lowerBound * columns..<rows.upperBound * columns
    return try windows.withWindow {
      encode(try $0.weights(of: source, range), tensor, rows, to: section)
    }
  }

  /// The same, of the rows' bytes in the checkpoint's file.
  func encode(
    _ bytes: UnsafeRawBufferPointer, _ tensor: TensorEntry, rows: Range<Int>,
    to section: UnsafeMutableRawBufferPointer
  ) throws -> CodeError {
    let source = try checkpoint.tensor(tensor.name, shape: tensor.shape)
    return try windows.withWindow {
      encode(try $0.weights(of: source, bytes), tensor, rows, to: section)
    }
  }

  private func encode(
    _ weights: UnsafeMutableBufferPointer<Float>, _ tensor: TensorEntry, _ rows: Range<Int>,
    to section: UnsafeMutableRawBufferPointer
  ) -> CodeError {
    let columns = WeightExtent(tensor).columns
    guard let kernelCode = tensor.code.kernelCode else {
      let place = tensor.offset + rows.lowerBound * columns * MemoryLayout<Float>.size
      UnsafeMutableRawBufferPointer(rebasing: section[place...]).copyMemory(
        from: UnsafeRawBufferPointer(weights))
      return CodeError()
    }
    var error = CodeError()
    let importance = importance?[tensor.name]?.values
    let length = vl2_block_bytes(kernelCode, columns)
    for row in stride(from: 0, to: rows.count, by: 16) {
      let place = tensor.offset + (rows.lowerBound + row) / 16 * tensor.blockStep
      let block = UnsafeMutableRawBufferPointer(rebasing: section[place..<place + length])
      let taken = UnsafeMutableBufferPointer(rebasing: weights[(row * columns)...])
      var sums = vl2_code_error()
      let count = min(16, rows.count - row)
      let bytes = block.assumingMemoryBound(to: UInt8.self).baseAddress
      if let importance {
        vl2_encode_weighted(
          kernelCode, taken.baseAddress, columns, count, columns, importance, bytes, &sums)
      } else {
        sums.error = vl2_encode_block(
          kernelCode, taken.baseAddress, columns, count, columns, bytes, &sums.energy)
      }
      error.append(sums)
    }
    return error
  }
}

/// Memory into which one thread reads weights, a window at a time. No tensor is ever held whole.
final class WeightWindow {
  private var raw = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var floats = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)

  init() {}

  deinit {
    raw.deallocate()
    floats.deallocate()
  }

  /// Reads weights `range` of a tensor (row-major over its shape) as float32. The result is valid until the
  /// next call.
  ///
  /// - Throws: `InputError` if the file cannot be read, `CheckpointError` if a weight has another type or is not
  ///   finite.
  func weights(of tensor: Checkpoint.Tensor, _ range: Range<Int>) throws -> UnsafeMutableBufferPointer<Float>
  {
    guard let size = tensor.type.weightBytes else {
      throw CheckpointError.wrongType(tensor: tensor.name, path: tensor.file.path, found: tensor.type.name)
    }
    reserve(range.count)
    let bytes = UnsafeMutableRawBufferPointer(rebasing: raw[..<(range.count * size)])
    let weights = UnsafeMutableBufferPointer(rebasing: floats[..<range.count])
    let offset = tensor.offset + range.lowerBound * size
    try tensor.file.read(into: bytes, at: offset)
    tensor.file.release(offset..<offset + bytes.count)
    tensor.type.widen(UnsafeRawBufferPointer(bytes), into: weights)
    guard Self.areFinite(weights) else {
      throw CheckpointError.notFinite(tensor: tensor.name, path: tensor.file.path)
    }
    return weights
  }

  private func reserve(_ count: Int) {
    guard floats.count < count else { return }
    raw.deallocate()
    floats.deallocate()
    raw = .allocate(byteCount: count * MemoryLayout<Float>.size, alignment: 64)
    floats = .allocate(capacity: count)
  }

  /// A weight with all exponent bits set is infinite or not a number. The check takes a maximum over
  /// integers, which is a loop without branches.
  private static func areFinite(_ weights: UnsafeMutableBufferPointer<Float>) -> Bool {
    var largest: UInt32 = 0
    for weight in weights { largest = max(largest, weight.bitPattern & 0x7FFF_FFFF) }
    return largest < 0x7F80_0000
  }
}

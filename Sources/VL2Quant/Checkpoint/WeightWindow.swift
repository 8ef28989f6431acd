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
    let size = try Self.weightBytes(of: tensor)
    if raw.count < range.count * size {
      raw.deallocate()
      raw = .allocate(byteCount: range.count * size, alignment: 64)
    }
    let bytes = UnsafeMutableRawBufferPointer(rebasing: raw[..<(range.count * size)])
    let offset = tensor.offset + range.lowerBound * size
    try tensor.file.read(into: bytes, at: offset)
    tensor.file.release(offset..<offset + bytes.count)
    return try weights(of: tensor, UnsafeRawBufferPointer(bytes))
  }

  /// Weights of a tensor as float32, of their bytes in its file, which begin where a UInt32 may. The result is valid until
  /// the next call.
  ///
  /// - Throws: `CheckpointError` if a weight has another type or is not finite.
  func weights(of tensor: Checkpoint.Tensor, _ bytes: UnsafeRawBufferPointer) throws
    -> UnsafeMutableBufferPointer<Float>
  {
    let count = bytes.count / (try Self.weightBytes(of: tensor))
    if floats.count < count {
      floats.deallocate()
      floats = .allocate(capacity: count)
    }
    let weights = UnsafeMutableBufferPointer(rebasing: floats[..<count])
    tensor.type.widen(bytes, into: weights)
    guard Self.areFinite(weights) else {
      throw CheckpointError.notFinite(tensor: tensor.name, path: tensor.file.path)
    }
    return weights
  }

  private static func weightBytes(of tensor: Checkpoint.Tensor) throws -> Int {
    guard let size = tensor.type.weightBytes else {
      throw CheckpointError.wrongType(tensor: tensor.name, path: tensor.file.path, found: tensor.type.name)
    }
    return size
  }

  /// A weight with all exponent bits set is infinite or not a number. The check takes a maximum over
  /// integers, which is a loop without branches.
  private static func areFinite(_ weights: UnsafeMutableBufferPointer<Float>) -> Bool {
    var largest: UInt32 = 0
    for weight in weights { largest = max(largest, weight.bitPattern & 0x7FFF_FFFF) }
    return largest < 0x7F80_0000
  }
}

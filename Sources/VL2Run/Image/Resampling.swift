import SIMDKernels

/// Weights that are held at once; more columns than they cover are made in several turns.
private let maximumHeldWeights = 1 << 22

extension Picture {
  /// The picture at another size, bicubic with antialiasing: Pillow's `image.resize(size, BICUBIC)`, to the
  /// last bit.
  package func resized(width newWidth: Int, height newHeight: Int) -> Picture {
    precondition(newWidth > 0 && newHeight > 0)
    if newWidth == width && newHeight == height { return self }
    let vertical = BicubicFilter(inputLength: height, outputLength: newHeight)
    var rows = 0..<height
    var narrowed = pixels
    if newWidth != width {
      if newHeight != height {
        rows = vertical.inputs(of: 0).lowerBound..<vertical.inputs(of: newHeight - 1).upperBound
      }
      narrowed = resizedRows(rows, width: newWidth)
    }
    if newHeight == height { return Picture(width: newWidth, height: newHeight, pixels: narrowed) }

    let stride = newWidth * 3
    let result = [UInt8](unsafeUninitializedCapacity: newHeight * stride) { target, count in
      narrowed.withUnsafeBufferPointer { source in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        for y in 0..<newHeight {
          let first = vertical.inputs(of: y).lowerBound - rows.lowerBound
          let weights = vertical.weights(of: y)
          vl2_resample_vertical(
            from + first * stride, stride, weights.count, weights, stride, to + y * stride)
        }
      }
      count = newHeight * stride
    }
    return Picture(width: newWidth, height: newHeight, pixels: result)
  }

  /// Some rows at another width: [rows][newWidth][3].
  private func resizedRows(_ rows: Range<Int>, width newWidth: Int) -> [UInt8] {
    let filter = BicubicFilter(inputLength: width, outputLength: newWidth)
    let stride = width * 3
    let newStride = newWidth * 3
    return [UInt8](unsafeUninitializedCapacity: rows.count * newStride) { target, count in
      pixels.withUnsafeBufferPointer { source in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        // Inner columns have the widest windows, and all of them the same within one.
        let widest = filter.inputs(of: newWidth / 2).count + 2
        let columnsAtOnce = max(1, maximumHeldWeights / (3 * widest))
        var first = 0
        while first < newWidth {
          let columns = first..<min(first + columnsAtOnce, newWidth)
          let windows = Windows(filter, columns: columns)
          vl2_resample_horizontal(
            from + rows.lowerBound * stride, source.count - rows.lowerBound * stride, stride, rows.count,
            windows.weights, windows.starts, windows.length, columns.count, to + first * 3, newStride)
          first = columns.upperBound
        }
      }
      count = rows.count * newStride
    }
  }
}

/// Weights of several output columns, laid out as `vl2_resample_horizontal` reads them.
private struct Windows {
  /// Input pixels of a window, a multiple of 4.
  let length: Int
  let starts: [UInt32]
  /// [columns][length][3].
  let weights: [Int32]

  init(_ filter: BicubicFilter, columns: Range<Int>) {
    let inputs = columns.map(filter.inputs(of:))
    let length = ((inputs.map(\.count).max() ?? 0) + 3) / 4 * 4
    var weights = [Int32](repeating: 0, count: columns.count * length * 3)
    for (index, column) in columns.enumerated() {
      for (offset, weight) in filter.weights(of: column).enumerated() {
        for channel in 0..<3 { weights[(index * length + offset) * 3 + channel] = weight }
      }
    }
    self.length = length
    self.starts = inputs.map { UInt32($0.lowerBound) }
    self.weights = weights
  }
}

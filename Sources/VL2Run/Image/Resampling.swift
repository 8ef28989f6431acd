import SIMDKernels

/// The most weights that are held at once; more columns than they cover are computed in several turns.
private let maximumHeldWeights = 1 << 22

extension Picture {
  /// The picture at another size, bicubic with antialiasing: Pillow's `image.resize(size, BICUBIC)`, to the
  /// last bit.
  ///
  /// Each of the two passes rounds to 8 bits, so their order changes the result. The order is that of Pillow
  /// 13; earlier versions always begin with the horizontal pass.
  ///
  /// Source: Pillow 13, src/libImaging/Resample.c.
  package func resized(width newWidth: Int, height newHeight: Int) -> Picture {
    precondition(newWidth > 0 && newHeight > 0)
    let verticalFirst = height - newHeight > max(0, 2 * (width - newWidth))
    return verticalFirst
      ? resizedVertically(to: newHeight).resizedHorizontally(to: newWidth)
      : resizedHorizontally(to: newWidth).resizedVertically(to: newHeight)
  }

  private func resizedVertically(to newHeight: Int) -> Picture {
    if newHeight == height { return self }
    let filter = BicubicFilter(inputLength: height, outputLength: newHeight)
    let stride = width * 3
    let result = [UInt8](unsafeUninitializedCapacity: newHeight * stride) { target, count in
      pixels.withUnsafeBufferPointer { source in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        for y in 0..<newHeight {
          let weights = filter.weights(of: y)
          vl2_resample_vertical(
            from + filter.inputs(of: y).lowerBound * stride, stride, weights.count, weights, stride,
            to + y * stride)
        }
      }
      count = newHeight * stride
    }
    return Picture(width: width, height: newHeight, pixels: result)
  }

  private func resizedHorizontally(to newWidth: Int) -> Picture {
    if newWidth == width { return self }
    let filter = BicubicFilter(inputLength: width, outputLength: newWidth)
    let newStride = newWidth * 3
    let result = [UInt8](unsafeUninitializedCapacity: height * newStride) { target, count in
      pixels.withUnsafeBufferPointer { source in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        // The windows of inner columns are the longest, within a pixel or two.
        let widest = filter.inputs(of: newWidth / 2).count + 2
        let columnsAtOnce = max(1, maximumHeldWeights / (3 * widest))
        var first = 0
        while first < newWidth {
          let columns = first..<min(first + columnsAtOnce, newWidth)
          let windows = Windows(filter, columns: columns)
          vl2_resample_horizontal(
            from, source.count, width * 3, height, windows.weights, windows.starts, windows.length,
            columns.count, to + first * 3, newStride)
          first = columns.upperBound
        }
      }
      count = height * newStride
    }
    return Picture(width: newWidth, height: height, pixels: result)
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

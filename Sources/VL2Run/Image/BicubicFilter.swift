/// The weights of bicubic resampling along one axis, with the support widened when shrinking so that every
/// input pixel counts: Pillow's, to the last bit.
///
/// Source: Pillow 13, src/libImaging/Resample.c (`precompute_coeffs`, `normalize_coeffs_8bpc`).
struct BicubicFilter {
  let inputLength: Int
  let outputLength: Int
  private let scale: Double
  private let filterScale: Double
  private var support: Double { 2 * filterScale }

  init(inputLength: Int, outputLength: Int) {
    self.inputLength = inputLength
    self.outputLength = outputLength
    // Pillow keeps the input's length as a float.
    scale = Double(Float(inputLength)) / Double(outputLength)
    filterScale = max(scale, 1)
  }

  private func center(_ index: Int) -> Double { (Double(index) + 0.5) * scale }

  /// The input pixels that output pixel `index` is made of; never empty.
  func inputs(of index: Int) -> Range<Int> {
    let center = center(index)
    let first = max(0, Int(center - support + 0.5))
    return first..<min(inputLength, Int(center + support + 0.5))
  }

  /// Weights of `inputs(of: index)`, in units of 2^-22. They add up to about 2^22.
  func weights(of index: Int) -> [Int32] {
    let inputs = inputs(of: index)
    let center = center(index)
    let inverseScale = 1 / filterScale
    var sum = 0.0
    var weights = [Double](repeating: 0, count: inputs.count)
    for offset in 0..<inputs.count {
      let weight = cubic((Double(offset + inputs.lowerBound) - center + 0.5) * inverseScale)
      weights[offset] = weight
      sum += weight
    }
    return weights.map { weight in
      let normalized = sum == 0 ? weight : weight / sum
      return Int32(normalized * Double(1 << 22) + (normalized < 0 ? -0.5 : 0.5))
    }
  }

  /// The cubic convolution kernel with a = -0.5.
  ///
  /// Source: R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
  private func cubic(_ distance: Double) -> Double {
    let x = abs(distance)
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * -0.5 }
    return 0
  }
}

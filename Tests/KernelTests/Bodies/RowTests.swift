import SIMDKernels
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

private let widths = [1, 2, 15, 16, 17, 72, 588, 1152, 1280]

/// Largest |found - exact| / |exact| over `range`, ignoring results below 1e-37, which float32 rounds coarsely.
private func largestRelativeError(
  from: Double, to: Double, _ kernel: ([Float]) -> [Float], _ exact: (Double) -> Double
) -> Double {
  let x = (0..<200_003).map { Float(from + (to - from) * Double($0) / 200_002) }
  var largest = 0.0
  for (x, found) in zip(x, kernel(x)) {
    let exact = exact(Double(x))
    // No comparison finds what is not a number.
    guard found.isFinite else { return .infinity }
    if abs(exact) > 1e-37 { largest = max(largest, abs(Double(found) - exact) / abs(exact)) }
  }
  return largest
}

extension KernelSet {
  typealias InPlace = @convention(c) (UnsafeMutablePointer<Float>?, Int) -> Void

  func apply(_ kernel: KeyPath<vl2_kernels, InPlace?>, _ x: [Float]) -> [Float] {
    // Not aligned.
    var padded = [1234.5] + x + [1234.5]
    padded.withUnsafeMutableBufferPointer { functions[keyPath: kernel]?($0.baseAddress! + 1, x.count) }
    #expect(padded[0] == 1234.5 && padded[x.count + 1] == 1234.5)
    return Array(padded[1...x.count])
  }

  func siluMultiply(_ gate: [Float], _ up: [Float]) -> [Float] {
    var out = [Float](repeating: 1234.5, count: gate.count + 1)
    functions.silu_multiply(gate, up, &out, gate.count)
    #expect(out[gate.count] == 1234.5)
    return Array(out[..<gate.count])
  }
}

@Suite struct ActivationTests {
  @Test func geluWithTanh() {
    let coefficient = (2 / Double.pi).squareRoot()
    let exact = { (x: Double) in x / (1 + exp(-2 * coefficient * (x + 0.044715 * x * x * x))) }
    let kernel = { (x: [Float]) in KernelSet.portable.apply(\.gelu_tanh, x) }
    #expect(largestRelativeError(from: -3, to: 30, kernel, exact) <= 1e-6)
    // e^u with |u| up to 86 magnifies the rounding of u.
    #expect(largestRelativeError(from: -10, to: -3, kernel, exact) <= 2e-5)
  }

  @Test func geluWithErf() {
    let error = largestRelativeError(
      from: -12.5, to: 12.5, { KernelSet.portable.apply(\.gelu_erf, $0) },
      { 0.5 * $0 * erfc(-$0 / 2.0.squareRoot()) })
    #expect(error <= 1e-6)
  }

  @Test func silu() {
    let error = largestRelativeError(
      from: -80, to: 100, { KernelSet.portable.siluMultiply($0, Array(repeating: 1, count: $0.count)) },
      { $0 / (1 + exp(-$0)) })
    #expect(error <= 1e-6)
  }

  @Test func sigmoid() {
    let error = largestRelativeError(
      from: -80, to: 100, { KernelSet.portable.apply(\.sigmoid, $0) }, { 1 / (1 + exp(-$0)) })
    #expect(error <= 1e-6)
  }

  /// exp itself shows in a softmax of two values.
  @Test func exponential() {
    for x in stride(from: Float(-103.9), to: 0, by: 0.013) {
      let found = Double(KernelSet.portable.apply(\.softmax, [0, x])[1])
      let exact = exp(Double(x)) / (1 + exp(Double(x)))
      #expect(abs(found - exact) <= max(1e-6 * exact, 0x1p-149), "\(x)")
    }
    #expect(KernelSet.portable.apply(\.softmax, [0, -105, -1e30, -.infinity]) == [1, 0, 0, 0])
  }

  @Test(arguments: KernelSet.others)
  func sameBitsAsPortable(kernels: KernelSet) {
    let special: [Float] = [
      0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 1e-38, 88.7, 88.8, 89, 90, -87, -88, -103,
      -104, -105, 1e30, -1e30, .infinity,
      -.infinity, .nan, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
    ]
    for count in [1, 3, 16, 21, 1000, 4304] {
      let x = special + randomFloats(count, seed: 1, scale: 5)
      let up = randomFloats(x.count, seed: 2)
      #expect(sameBits(kernels.apply(\.gelu_tanh, x), KernelSet.portable.apply(\.gelu_tanh, x)))
      #expect(sameBits(kernels.apply(\.gelu_erf, x), KernelSet.portable.apply(\.gelu_erf, x)))
      #expect(sameBits(kernels.apply(\.softmax, x), KernelSet.portable.apply(\.softmax, x)))
      #expect(sameBits(kernels.apply(\.sigmoid, x), KernelSet.portable.apply(\.sigmoid, x)))
      let plain = Array(x.dropFirst(special.count))
      #expect(sameBits(kernels.apply(\.softmax, plain), KernelSet.portable.apply(\.softmax, plain)))
      #expect(sameBits(kernels.siluMultiply(x, up), KernelSet.portable.siluMultiply(x, up)))
    }
  }

  @Test func limits() {
    let x: [Float] = [-1e30, -200, 0, 200, 1e30, .nan, .infinity]
    for found in [
      KernelSet.portable.apply(\.gelu_tanh, x), KernelSet.portable.apply(\.gelu_erf, x),
      KernelSet.portable.siluMultiply(x, Array(repeating: 1, count: x.count)),
    ] {
      #expect(found[0...2].allSatisfy { $0 == 0 })
      #expect(found[3...4] == x[3...4])
      #expect(found[5].isNaN)
      #expect(found[6] == .infinity)
    }
  }

  @Test func softmaxIsRight() {
    for count in widths {
      let x = randomFloats(count, seed: UInt64(count), scale: 4)
      let sum = x.reduce(0.0) { $0 + exp(Double($1)) }
      for (x, found) in zip(x, KernelSet.portable.apply(\.softmax, x)) {
        // x - largest is rounded to 24 bits before it is an exponent.
        #expect(abs(Double(found) - exp(Double(x)) / sum) <= 4e-6 * exp(Double(x)) / sum)
      }
    }
  }
}

@Suite struct NormTests {
  private struct Input {
    var x: [Float]
    var weight: [Float]
    var bias: [Float]
    var columns: Int
    static let rows = 3
    static let gap = 2
    static let epsilon: Float = 1e-6

    init(columns: Int) {
      self.columns = columns
      x = randomFloats(Self.rows * (columns + Self.gap), seed: 1, scale: 3).map { $0 + 1 }
      weight = randomFloats(columns, seed: 2)
      bias = randomFloats(columns, seed: 3)
    }

    func row(_ i: Int) -> [Double] {
      x.dropFirst(i * (columns + Self.gap)).prefix(columns).map { Double($0) }
    }

    func rms(_ kernels: KernelSet, inPlace: Bool = false) -> [Float] {
      let stride = columns + Self.gap
      var out = x
      if inPlace {
        out.withUnsafeMutableBufferPointer {
          kernels.functions.rms_norm(
            $0.baseAddress!, stride, Self.rows, columns, weight, Self.epsilon, $0.baseAddress!, stride)
        }
      } else {
        kernels.functions.rms_norm(x, stride, Self.rows, columns, weight, Self.epsilon, &out, stride)
      }
      return out
    }

    func layer(_ kernels: KernelSet) -> [Float] {
      var out = x
      kernels.functions.layer_norm(
        x, columns + Self.gap, Self.rows, columns, weight, bias, Self.epsilon, &out, columns + Self.gap)
      return out
    }
  }

  @Test(arguments: widths)
  func rootMeanSquare(columns: Int) {
    let input = Input(columns: columns)
    let found = input.rms(.portable)
    for i in 0..<Input.rows {
      let row = input.row(i)
      let mean = row.reduce(0) { $0 + $1 * $1 } / Double(columns)
      let factor = 1 / (mean + Double(Input.epsilon)).squareRoot()
      for k in 0..<columns {
        let exact = Double(input.weight[k]) * row[k] * factor
        #expect(abs(Double(found[i * (columns + Input.gap) + k]) - exact) <= 1e-6 * (abs(exact) + 0.1))
      }
      // What lies between rows stays.
      let gap = i * (columns + Input.gap) + columns
      #expect(found[gap..<gap + Input.gap] == input.x[gap..<gap + Input.gap])
    }
    #expect(sameBits(input.rms(.portable, inPlace: true), found))
  }

  @Test(arguments: widths)
  func layer(columns: Int) {
    let input = Input(columns: columns)
    let found = input.layer(.portable)
    for i in 0..<Input.rows {
      let row = input.row(i)
      let mean = row.reduce(0, +) / Double(columns)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
      let factor = 1 / (variance + Double(Input.epsilon)).squareRoot()
      for k in 0..<columns {
        let exact = (row[k] - mean) * factor * Double(input.weight[k]) + Double(input.bias[k])
        #expect(abs(Double(found[i * (columns + Input.gap) + k]) - exact) <= 3e-6 * (abs(exact) + 1))
      }
    }
  }

  @Test(arguments: KernelSet.others, widths)
  func sameBitsAsPortable(kernels: KernelSet, columns: Int) {
    var input = Input(columns: columns)
    #expect(sameBits(input.rms(kernels), input.rms(.portable)))
    #expect(sameBits(input.rms(kernels, inPlace: true), input.rms(.portable)))
    #expect(sameBits(input.layer(kernels), input.layer(.portable)))
    input.x[0] = .infinity
    input.x[columns + Input.gap] = .nan
    #expect(sameBits(input.rms(kernels), input.rms(.portable)))
    #expect(sameBits(input.layer(kernels), input.layer(.portable)))
  }
}

@Suite struct ElementwiseTests {
  @Test(arguments: KernelSet.all)
  func sums(kernels: KernelSet) {
    for count in widths {
      let x = randomFloats(count, seed: 1)
      let y = randomFloats(count, seed: 2)
      var sum = x
      kernels.functions.add(&sum, y, count)
      #expect(sameBits(sum, zip(x, y).map { $0 + $1 }))
      sum = x
      kernels.functions.add_scaled(&sum, y, 0.3, count)
      #expect(
        sameBits(
          sum,
          zip(x, y).map { x, y in
            let product = y * 0.3
            return x + product
          }))
    }
  }

  @Test(arguments: KernelSet.all)
  func rotaryEmbedding(kernels: KernelSet) {
    for (heads, dim) in [(1, 2), (3, 6), (2, 32), (10, 128), (4, 72)] {
      let x = randomFloats(heads * dim, seed: 1)
      let cosine = randomFloats(dim / 2, seed: 2)
      let sine = randomFloats(dim / 2, seed: 3)
      var found = x
      kernels.functions.rope_halves(&found, heads, dim, cosine, sine)
      var expected = x
      for head in 0..<heads {
        for i in 0..<dim / 2 {
          let (a, b) = (x[head * dim + i], x[head * dim + dim / 2 + i])
          let products = (a * cosine[i], b * sine[i], b * cosine[i], a * sine[i])
          expected[head * dim + i] = products.0 - products.1
          expected[head * dim + dim / 2 + i] = products.2 + products.3
        }
      }
      #expect(sameBits(found, expected))
    }
  }

  @Test(arguments: KernelSet.all)
  func rotaryEmbeddingOfPairs(kernels: KernelSet) {
    for (heads, dim, gap) in [(1, 2, 0), (3, 6, 5), (2, 16, 32), (16, 64, 128)] {
      let stride = dim + gap
      let x = randomFloats(heads * stride, seed: 1)
      let cosine = randomFloats(dim / 2, seed: 2)
      let sine = randomFloats(dim / 2, seed: 3)
      var found = x
      kernels.functions.rope_pairs(&found, heads, stride, dim, cosine, sine)
      var expected = x
      for head in 0..<heads {
        for i in 0..<dim / 2 {
          let place = head * stride + 2 * i
          let (a, b) = (x[place], x[place + 1])
          let products = (a * cosine[i], b * sine[i], b * cosine[i], a * sine[i])
          expected[place] = products.0 - products.1
          expected[place + 1] = products.2 + products.3
        }
      }
      #expect(sameBits(found, expected))
    }
  }

  @Test(arguments: KernelSet.all)
  func argmax(kernels: KernelSet) {
    for count in [1, 5, 16, 17, 100, 1000] {
      for seed in 0..<5 {
        // Few distinct values, so that there are many largest ones.
        let x = randomFloats(count, seed: UInt64(seed)).map { ($0 * 2).rounded() }
        var best = 0
        for i in x.indices where x[i] > x[best] { best = i }
        #expect(kernels.functions.argmax(x, count) == best)
      }
    }
    #expect(kernels.functions.argmax([.nan, 1, .nan, 3, .nan, 3], 6) == 3)
    #expect(kernels.functions.argmax([.nan, -.infinity, .nan], 3) == 1)
    #expect(kernels.functions.argmax([1, .infinity, .nan], 3) == 1)
    #expect(kernels.functions.argmax([.nan, .nan], 2) == 0)
    #expect(kernels.functions.argmax((0..<40).map { $0 == 33 ? 5 : .nan }, 40) == 33)
  }
}

@Suite struct DispatchTests {
  @Test func portableComesFirstAndOneIsActive() {
    #expect(KernelSet.portable.name == "portable")
    #expect(Set(KernelSet.all.map(\.name)).count == KernelSet.all.count)
    #expect(KernelSet.all.contains { $0.table == vl2_kernels_active() })
    #expect(vl2_kernels_at(100) == nil)
  }
}

import SIMDKernels
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// One call of the int8 attention kernel with operands that own their memory.
private struct AttentionInt8Case {
  var queries: Int
  var keys: Int
  var keyDim: Int
  var valueDim: Int
  var causal: Bool
  var visible = 1
  var query: [Float]
  var key: [Float]  // [keys][keyDim]
  var value: [Float]  // [keys][valueDim]
  /// What blocks and scratch memory hold before anything is written to them.
  var filling: UInt8 = 0xFF

  init(
    queries: Int, keys: Int, keyDim: Int, valueDim: Int, causal: Bool, visible: Int = 1, seed: UInt64 = 1
  ) {
    self.queries = queries
    self.keys = keys
    self.keyDim = keyDim
    self.valueDim = valueDim
    self.causal = causal
    self.visible = visible
    query = randomFloats(queries * keyDim, seed: seed, scale: 2)
    key = randomFloats(keys * keyDim, seed: seed + 1)
    value = randomFloats(keys * valueDim, seed: seed + 2)
  }

  var scale: Float { 1 / Float(keyDim).squareRoot() }
  var blockBytes: Int { vl2_key_value_block_bytes(keyDim, valueDim) }

  func seen(by query: Int) -> Int { causal ? min(keys, visible + query) : keys }

  /// Keys and values as blocks, `chunk` positions stored at a time.
  func blocks(_ kernels: KernelSet, chunk: Int) -> AlignedBytes {
    let blocks = AlignedBytes(count: (keys + 31) / 32 * blockBytes, filledWith: filling)
    key.withUnsafeBufferPointer { key in
      value.withUnsafeBufferPointer { value in
        for first in stride(from: 0, to: keys, by: chunk) {
          kernels.functions.store_key_values(
            blocks.start, first, min(chunk, keys - first), key.baseAddress! + first * keyDim, keyDim, keyDim,
            value.baseAddress! + first * valueDim, valueDim, valueDim)
        }
      }
    }
    return blocks
  }

  /// [queries][valueDim]; rows of queries and results are farther apart than they are long.
  func run(_ kernels: KernelSet, only some: Range<Int>? = nil, chunk: Int = 1000) -> [Float] {
    let some = some ?? 0..<queries
    let (queryStride, outStride) = (keyDim + 3, valueDim + 2)
    let query = stride(from: 0, to: self.query.count, by: keyDim).flatMap {
      self.query[$0..<$0 + keyDim] + [Float](repeating: .nan, count: 3)
    }
    var out = [Float](repeating: 1234.5, count: some.count * outStride)
    let blocks = blocks(kernels, chunk: chunk)
    let scratch = AlignedBytes(count: vl2_attention_i8_scratch(keys, keyDim), filledWith: filling)
    query.withUnsafeBufferPointer { query in
      out.withUnsafeMutableBufferPointer { out in
        var arguments = vl2_attention_i8_args(
          query: query.baseAddress! + some.lowerBound * queryStride, query_stride: queryStride,
          queries: some.count, blocks: blocks.start, key_count: keys, key_dim: keyDim, value_dim: valueDim,
          causal: causal, visible: visible + some.lowerBound, scale: scale, out: out.baseAddress,
          out_stride: outStride, scratch: scratch.start)
        kernels.functions.attention_i8(&arguments)
      }
    }
    withExtendedLifetime((blocks, scratch)) {}
    var result: [Float] = []
    for i in 0..<some.count {
      result += out[i * outStride..<i * outStride + valueDim]
      #expect(out[i * outStride + valueDim..<(i + 1) * outStride].allSatisfy { $0 == 1234.5 })
    }
    return result
  }

  /// Attention in float64 over `rows` as int8 with one scale would have them.
  func exact(query i: Int) -> [Double] {
    func coded(_ rows: [Float], _ row: Int, _ width: Int) -> [Double] {
      let values = rows[row * width..<(row + 1) * width].map(Double.init)
      let step = (values.map(abs).max() ?? 0) / 127
      return values.map { step == 0 ? 0 : ($0 / step).rounded(.toNearestOrEven) * step }
    }
    let q = query[i * keyDim..<(i + 1) * keyDim].map(Double.init)
    let scores = (0..<seen(by: i)).map { k in
      zip(q, coded(key, k, keyDim)).reduce(0) { $0 + $1.0 * $1.1 } * Double(scale)
    }
    let largest = scores.max() ?? 0
    let weights = scores.map { exp($0 - largest) }
    let sum = weights.reduce(0, +)
    var out = [Double](repeating: 0, count: valueDim)
    for (k, weight) in weights.enumerated() {
      for (d, value) in coded(value, k, valueDim).enumerated() { out[d] += weight / sum * value }
    }
    return out
  }
}

@Suite struct AttentionInt8Tests {
  private static let cases = [
    AttentionInt8Case(queries: 1, keys: 1, keyDim: 1, valueDim: 1, causal: true),
    AttentionInt8Case(queries: 1, keys: 300, keyDim: 128, valueDim: 128, causal: true, visible: 300),
    AttentionInt8Case(queries: 37, keys: 37, keyDim: 128, valueDim: 128, causal: true),
    AttentionInt8Case(queries: 9, keys: 50, keyDim: 192, valueDim: 128, causal: true, visible: 42),
    AttentionInt8Case(queries: 45, keys: 45, keyDim: 72, valueDim: 72, causal: false),
    AttentionInt8Case(queries: 13, keys: 13, keyDim: 8, valueDim: 8, causal: true),
    AttentionInt8Case(queries: 11, keys: 33, keyDim: 17, valueDim: 40, causal: true, visible: 3),
    AttentionInt8Case(queries: 10, keys: 5, keyDim: 16, valueDim: 19, causal: true, visible: 2),
    AttentionInt8Case(queries: 19, keys: 97, keyDim: 33, valueDim: 3, causal: true, visible: 64),
  ]

  /// Queries and weights are rounded to int8 too: a few hundredths of the values' size.
  @Test(arguments: cases.indices)
  func portableIsNearlyRight(index: Int) {
    let attention = Self.cases[index]
    let found = attention.run(.portable)
    var (error, energy) = (0.0, 0.0)
    for i in 0..<attention.queries {
      for (exact, found) in zip(attention.exact(query: i), found[(i * attention.valueDim)...]) {
        error += (exact - Double(found)) * (exact - Double(found))
        energy += exact * exact
      }
    }
    #expect(error <= 0.02 * 0.02 * energy, "relative error \((error / energy).squareRoot())")
  }

  @Test(arguments: KernelSet.others, cases.indices)
  func sameBitsAsPortable(kernels: KernelSet, index: Int) {
    let attention = Self.cases[index]
    #expect(attention.blocks(kernels, chunk: 5).equals(attention.blocks(.portable, chunk: 1000)))
    #expect(sameBits(attention.run(kernels), attention.run(.portable)))
  }

  @Test(arguments: KernelSet.all, cases.indices)
  func queriesAreIndependent(kernels: KernelSet, index: Int) {
    let attention = Self.cases[index]
    let all = attention.run(kernels)
    for chunk in [1, 3, 7] {
      for first in stride(from: 0, to: attention.queries, by: chunk) {
        let some = first..<min(attention.queries, first + chunk)
        let part = attention.run(kernels, only: some, chunk: chunk)
        let expected = all[some.lowerBound * attention.valueDim..<some.upperBound * attention.valueDim]
        #expect(sameBits(part, Array(expected)))
      }
    }
  }

  /// Keys that a query does not see, and what was never written, change nothing.
  @Test(arguments: KernelSet.all)
  func maskedKeysDoNotCount(kernels: KernelSet) {
    var attention = AttentionInt8Case(
      queries: 5, keys: 80, keyDim: 24, valueDim: 20, causal: true, visible: 30)
    var fewer = attention
    fewer.keys = 34
    let expected = fewer.run(kernels)
    for filling: UInt8 in [0, 0x7F, 0x80] {
      fewer.filling = filling
      #expect(sameBits(fewer.run(kernels), expected))
    }
    #expect(sameBits(attention.run(kernels), expected))
    for k in 34..<80 {
      for d in 0..<20 { attention.value[k * 20 + d] = .nan }
      for d in 0..<24 { attention.key[k * 24 + d] = 1e30 }
    }
    #expect(sameBits(attention.run(kernels), expected))
  }

  /// The largest codes of all signs: nothing overflows on the way.
  @Test(arguments: KernelSet.all, [[1, 1], [-1, 1], [1, -1], [-1, -1]] as [[Float]])
  func largestCodes(kernels: KernelSet, signs: [Float]) {
    var attention = AttentionInt8Case(queries: 9, keys: 70, keyDim: 192, valueDim: 48, causal: false)
    attention.query = attention.query.map { _ in signs[0] }
    attention.key = attention.key.map { _ in signs[1] }
    attention.value = attention.value.map { _ in signs[0] }
    for value in attention.run(kernels) { #expect(abs(value - signs[0]) <= 1e-5) }
  }

  /// What is not a number spoils nothing.
  @Test(arguments: KernelSet.all)
  func notANumberCountsAsZero(kernels: KernelSet) {
    var attention = AttentionInt8Case(queries: 9, keys: 20, keyDim: 16, valueDim: 16, causal: false)
    var zero = attention
    for (place, value) in [(3 * 16, Float.nan), (5 * 16 + 2, .infinity)] {
      attention.query[place] = value
      attention.key[place] = value
      attention.value[place] = -value
      zero.query[place] = 0
      zero.key[place] = 0
      zero.value[place] = 0
    }
    #expect(sameBits(attention.run(kernels), zero.run(kernels)))
  }
}

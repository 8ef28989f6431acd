import SIMDKernels
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// One call of the attention kernel with operands that own their memory.
private struct AttentionCase {
  var queries: Int
  var keys: Int
  var keyDim: Int
  var valueDim: Int
  var causal: Bool
  var visible: Int
  /// Whether values are handed over in blocks, as keys are.
  var blockedValues: Bool
  var query: [Float]
  var key: [Float]  // [keys][keyDim]
  var value: [Float]  // [keys][valueDim]

  init(
    queries: Int, keys: Int, keyDim: Int, valueDim: Int, causal: Bool, visible: Int = 1,
    blockedValues: Bool = false, seed: UInt64 = 1
  ) {
    self.queries = queries
    self.keys = keys
    self.keyDim = keyDim
    self.valueDim = valueDim
    self.causal = causal
    self.visible = visible
    self.blockedValues = blockedValues
    query = randomFloats(queries * keyDim, seed: seed)
    key = randomFloats(keys * keyDim, seed: seed + 1)
    value = randomFloats(keys * valueDim, seed: seed + 2)
  }

  var scale: Float { 1 / Float(keyDim).squareRoot() }

  func seen(by query: Int) -> Int { causal ? min(keys, visible + query) : keys }

  /// [queries][valueDim]; strides are larger than the rows, and nothing is written between them.
  func run(_ kernels: KernelSet, only some: Range<Int>? = nil, padding: Float = 0) -> [Float] {
    let some = some ?? 0..<queries
    let queryStride = keyDim + 3
    let valueStride = valueDim + 1
    let outStride = valueDim + 2
    let inBlocks = { (array: [Float], width: Int) in
      var blocked = [Float](repeating: padding, count: (keys + 15) / 16 * (16 * width + 5))
      for k in 0..<keys {
        for d in 0..<width { blocked[k / 16 * (16 * width + 5) + d * 16 + k % 16] = array[k * width + d] }
      }
      return blocked
    }
    let blocked = inBlocks(key, keyDim)
    let rows = { (array: [Float], width: Int, gap: Int) in
      stride(from: 0, to: array.count, by: width).flatMap {
        array[$0..<$0 + width] + [Float](repeating: .nan, count: gap)
      }
    }
    let query = rows(query, keyDim, 3)
    let value = blockedValues ? inBlocks(value, valueDim) : rows(value, valueDim, 1)
    var out = [Float](repeating: 1234.5, count: some.count * outStride)
    let scratch = AlignedBytes(count: vl2_attention_scratch(keys) * 4, filledWith: 0xFF)
    query.withUnsafeBufferPointer { query in
      var arguments = vl2_attention_args(
        query: query.baseAddress! + some.lowerBound * queryStride, query_stride: queryStride,
        queries: some.count, keys: nil, key_block_step: 16 * keyDim + 5, values: nil,
        value_stride: blockedValues ? 0 : valueStride,
        value_block_step: blockedValues ? 16 * valueDim + 5 : 0, key_count: keys, key_dim: keyDim,
        value_dim: valueDim, causal: causal,
        visible: visible + some.lowerBound, scale: scale, out: nil, out_stride: outStride,
        scratch: scratch.floats)
      blocked.withUnsafeBufferPointer { blocked in
        value.withUnsafeBufferPointer { value in
          out.withUnsafeMutableBufferPointer { out in
            arguments.keys = blocked.baseAddress
            arguments.values = value.baseAddress
            arguments.out = out.baseAddress
            kernels.functions.attention(&arguments)
          }
        }
      }
    }
    var result: [Float] = []
    for i in 0..<some.count {
      result += out[i * outStride..<i * outStride + valueDim]
      #expect(out[i * outStride + valueDim..<(i + 1) * outStride].allSatisfy { $0 == 1234.5 })
    }
    return result
  }

  func exact(query i: Int) -> [Double] {
    let seen = seen(by: i)
    let scores = (0..<seen).map { k in
      (0..<keyDim).reduce(0.0) { $0 + Double(query[i * keyDim + $1]) * Double(key[k * keyDim + $1]) }
        * Double(scale)
    }
    let largest = scores.max() ?? 0
    let weights = scores.map { exp($0 - largest) }
    let sum = weights.reduce(0, +)
    return (0..<valueDim).map { d in
      (0..<seen).reduce(0.0) { $0 + weights[$1] * Double(value[$1 * valueDim + d]) } / sum
    }
  }
}

@Suite struct AttentionTests {
  private static let cases = [
    AttentionCase(queries: 1, keys: 1, keyDim: 1, valueDim: 1, causal: true),
    AttentionCase(queries: 1, keys: 300, keyDim: 128, valueDim: 128, causal: true, visible: 300),
    AttentionCase(queries: 37, keys: 37, keyDim: 128, valueDim: 128, causal: true),
    AttentionCase(queries: 9, keys: 50, keyDim: 192, valueDim: 128, causal: true, visible: 42),
    AttentionCase(queries: 45, keys: 45, keyDim: 72, valueDim: 72, causal: false),
    AttentionCase(queries: 13, keys: 13, keyDim: 8, valueDim: 8, causal: true),
    AttentionCase(queries: 11, keys: 33, keyDim: 17, valueDim: 40, causal: true, visible: 3),
    AttentionCase(queries: 10, keys: 5, keyDim: 16, valueDim: 16, causal: true, visible: 2),
    AttentionCase(queries: 16, keys: 83, keyDim: 576, valueDim: 512, causal: false, blockedValues: true),
    AttentionCase(queries: 1, keys: 1, keyDim: 3, valueDim: 1, causal: true, blockedValues: true),
    AttentionCase(
      queries: 13, keys: 40, keyDim: 24, valueDim: 19, causal: true, visible: 22, blockedValues: true),
    AttentionCase(
      queries: 9, keys: 64, keyDim: 80, valueDim: 64, causal: true, visible: 64, blockedValues: true),
  ]

  @Test(arguments: cases.indices)
  func portableIsRight(index: Int) {
    let attention = Self.cases[index]
    let found = attention.run(.portable)
    for i in 0..<attention.queries {
      for (exact, found) in zip(attention.exact(query: i), found[(i * attention.valueDim)...]) {
        #expect(abs(exact - Double(found)) <= 2e-6)
      }
    }
  }

  @Test(arguments: KernelSet.others, cases.indices)
  func sameBitsAsPortable(kernels: KernelSet, index: Int) {
    #expect(sameBits(Self.cases[index].run(kernels), Self.cases[index].run(.portable)))
  }

  @Test(arguments: KernelSet.all, cases.indices)
  func queriesAreIndependent(kernels: KernelSet, index: Int) {
    let attention = Self.cases[index]
    let all = attention.run(kernels)
    for chunk in [1, 3, 7] {
      for first in stride(from: 0, to: attention.queries, by: chunk) {
        let some = first..<min(attention.queries, first + chunk)
        let part = attention.run(kernels, only: some)
        let expected = all[some.lowerBound * attention.valueDim..<some.upperBound * attention.valueDim]
        #expect(sameBits(part, Array(expected)))
      }
    }
  }

  /// Keys that a query does not see, and lanes past the last key, change nothing.
  @Test(arguments: KernelSet.all, [false, true])
  func maskedKeysDoNotCount(kernels: KernelSet, blockedValues: Bool) {
    var attention = AttentionCase(
      queries: 5, keys: 80, keyDim: 24, valueDim: 20, causal: true, visible: 30, blockedValues: blockedValues)
    var fewer = attention
    fewer.keys = 34
    let expected = fewer.run(kernels)
    #expect(sameBits(attention.run(kernels), expected))
    #expect(sameBits(fewer.run(kernels, padding: 1e30), expected))
    for k in 34..<80 {
      for d in 0..<20 { attention.value[k * 20 + d] = .nan }
      for d in 0..<24 { attention.key[k * 24 + d] = 1e30 }
    }
    #expect(sameBits(attention.run(kernels), expected))
  }

  @Test(arguments: KernelSet.all)
  func extremeScores(kernels: KernelSet) {
    var attention = AttentionCase(queries: 9, keys: 20, keyDim: 16, valueDim: 16, causal: false)
    attention.query = attention.query.map { $0 * 1e4 }
    let found = attention.run(kernels)
    for i in 0..<9 {
      for (exact, found) in zip(attention.exact(query: i), found[(i * 16)...]) {
        #expect(abs(exact - Double(found)) <= 1e-2)
      }
    }
    // One query that is not a number spoils its own row only.
    attention.query[3 * 16] = .nan
    attention.query[4 * 16] = .infinity
    let spoiled = attention.run(kernels)
    for i in [0, 1, 2, 5, 6, 7, 8] {
      #expect(sameBits(Array(spoiled[i * 16..<i * 16 + 16]), Array(found[i * 16..<i * 16 + 16])))
    }
    #expect(spoiled[3 * 16..<4 * 16].allSatisfy { $0.isNaN })
  }
}

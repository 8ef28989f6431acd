import Foundation
import SIMDKernels
import TestSupport
import Testing
import VL2Run

/// One layer of latent attention with random weights, and rows to send through it.
private final class LatentCase: CustomTestStringConvertible {
  let shape: LatentAttention.Shape
  let hidden: Int
  let count: Int
  let chunk: Int
  let code: Int
  private var memory: [AlignedBuffer] = []
  private var random: SplitMix64
  private(set) var weights: LatentAttention.Matrices!
  /// The same as float32, row-major, by the names of the checkpoint.
  private(set) var plain: [String: [Float]] = [:]
  private(set) var rows: [Float] = []

  init(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    // Awkward sizes, and every third time those of blocks and groups.
    let unit = seed % 3 == 0 ? 16 : 1
    shape = LatentAttention.Shape(
      heads: pick(1...32), queryRank: seed % 2 == 0 ? pick(8...40) : nil, rank: pick(1...4) * max(unit, 11),
      nope: unit * pick(1...3) + (unit == 1 ? 6 : 0), rope: 2 * pick(1...16), value: unit * pick(1...3))
    hidden = pick(20...90)
    count = pick(1...80)
    chunk = pick(1...64)
    code = [VL2_CODE_F32, VL2_CODE_BF16, VL2_CODE_I8, VL2_CODE_Q4][pick(0...3)]
    self.random = random
    let query = shape.heads * shape.key
    let queryDown = shape.queryRank.map { (linear("q_a_proj", $0, hidden), norm("q_a_layernorm", $0)) }
    weights = LatentAttention.Matrices(
      queryDown: queryDown, query: linear("q", query, shape.queryRank ?? hidden),
      down: linear("kv_a_proj", shape.kept, hidden), latentNorm: norm("kv_a_layernorm", shape.rank),
      up: linear("kv_b_proj", shape.heads * shape.expanded, shape.rank),
      output: linear("o_proj", hidden, shape.heads * shape.value))
    rows = (0..<count * hidden).map { _ in self.random.normal() }
  }

  var testDescription: String {
    "\(shape), hidden \(hidden), \(count) rows in chunks of \(chunk), code \(code)"
  }

  private func allocate(_ bytes: Int) -> UnsafeMutablePointer<UInt8> {
    let buffer = AlignedBuffer()
    memory.append(buffer)
    return buffer.reserve(bytes, of: UInt8.self)
  }

  private func linear(_ name: String, _ outputs: Int, _ inputs: Int) -> Linear {
    let gain = 1.5 / Float(inputs).squareRoot()
    let values = (0..<outputs * inputs).map { _ in random.normal() * gain }
    let step = vl2_block_bytes(UInt32(code), inputs)
    let blocks = allocate((outputs + 15) / 16 * step)
    values.withUnsafeBufferPointer { values in
      for block in 0..<(outputs + 15) / 16 {
        var energy = 0.0
        _ = vl2_encode_block(
          UInt32(code), values.baseAddress! + block * 16 * inputs, inputs, min(16, outputs - block * 16),
          inputs,
          blocks + block * step, &energy)
      }
    }
    var matrix = vl2_matrix(
      blocks: blocks, block_step: step, code: UInt32(code), rows: UInt32(outputs), columns: UInt32(inputs))
    var decoded = [Float](repeating: 0, count: outputs * inputs)
    decoded.withUnsafeMutableBufferPointer { decoded in
      for row in 0..<outputs { vl2_decode_row(&matrix, row, decoded.baseAddress! + row * inputs) }
    }
    plain[name] = decoded
    return Linear(matrix)
  }

  private func norm(_ name: String, _ width: Int) -> UnsafePointer<Float> {
    let values = (0..<width).map { _ in 1 + 0.2 * random.normal() }
    plain[name] = values
    let buffer = AlignedBuffer()
    memory.append(buffer)
    let target = buffer.reserve(width, of: Float.self)
    target.update(from: values, count: width)
    return UnsafePointer(target)
  }

  /// All rows in chunks, those from `written` on as written ones.
  func run(
    chunk: Int, written: Int? = nil, threads: Int = 2, mode: ActivationMode = .float32,
    scratch: AttentionScratch? = nil
  ) -> [Float] {
    let attention = LatentAttention(
      weights, shape: shape, rotary: RotaryTable(size: shape.rope, theta: 10000),
      scratch: scratch ?? AttentionScratch(threads: threads),
      arithmetic: Arithmetic(pool: WorkerPool(threads: threads), mode: mode))
    let cache = AlignedBuffer()
    let floats = attention.cacheBytes(capacity: count) / 4
    let kept = cache.reserve(floats, of: Float.self)
    // What the cache holds beyond the positions in use does not matter.
    kept.update(repeating: 1e30, count: floats)
    let buffer = AlignedBuffer()
    let out = Rows(buffer.reserve(count * hidden), count: count, columns: hidden)
    var input = rows
    let written = written ?? count
    input.withUnsafeMutableBufferPointer { input in
      let x = Rows(input.baseAddress!, count: count, columns: hidden)
      var done = 0
      while done < count {
        let end = min(done + chunk, done < written ? written : count)
        attention.attend(
          x.slice(done..<end), start: done, kind: done < written ? .prompt : .answer, cache: kept,
          capacity: count, into: out.slice(done..<end))
        done = end
      }
    }
    return withExtendedLifetime((cache, buffer)) {
      Array(UnsafeBufferPointer(start: out.base, count: count * hidden))
    }
  }

  /// The published definition, in float64 on the decoded weights.
  func exact() -> [Double] {
    func weight(_ name: String) -> [Double] { (plain[name] ?? []).map(Double.init) }
    func multiply(_ name: String, _ x: [Double], rows: Range<Int>? = nil) -> [Double] {
      let matrix = weight(name)
      return (rows ?? 0..<matrix.count / x.count).map { row in
        x.indices.reduce(0) { $0 + matrix[row * x.count + $1] * x[$1] }
      }
    }
    func norm(_ name: String, _ x: [Double]) -> [Double] {
      let mean = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
      return zip(x, weight(name)).map { $0 / (mean + 1e-6).squareRoot() * $1 }
    }
    func rotate(_ x: [Double], _ position: Int) -> [Double] {
      var out = x
      for i in 0..<x.count / 2 {
        let angle = Double(position) * pow(10000, -Double(2 * i) / Double(x.count))
        out[2 * i] = x[2 * i] * cos(angle) - x[2 * i + 1] * sin(angle)
        out[2 * i + 1] = x[2 * i + 1] * cos(angle) + x[2 * i] * sin(angle)
      }
      return out
    }
    var queries: [[Double]] = []
    var keysAndValues: [[Double]] = []
    var rotaryKeys: [[Double]] = []
    var out: [Double] = []
    for position in 0..<count {
      let x = rows[position * hidden..<(position + 1) * hidden].map(Double.init)
      let input = shape.queryRank == nil ? x : norm("q_a_layernorm", multiply("q_a_proj", x))
      queries.append(multiply("q", input))
      let down = multiply("kv_a_proj", x)
      keysAndValues.append(multiply("kv_b_proj", norm("kv_a_layernorm", Array(down[..<shape.rank]))))
      rotaryKeys.append(rotate(Array(down[shape.rank...]), position))
      var mixed: [Double] = []
      for head in 0..<shape.heads {
        let query = queries[position][head * shape.key..<(head + 1) * shape.key]
        let turned = rotate(Array(query.suffix(shape.rope)), position)
        let scores = (0...position).map { key in
          let expanded = keysAndValues[key][(head * shape.expanded)...]
          let content = zip(query.prefix(shape.nope), expanded).reduce(0) { $0 + $1.0 * $1.1 }
          let place = zip(turned, rotaryKeys[key]).reduce(0) { $0 + $1.0 * $1.1 }
          return (content + place) / Double(shape.key).squareRoot()
        }
        let largest = scores.max() ?? 0
        let shares = scores.map { exp($0 - largest) }
        let sum = shares.reduce(0, +)
        for i in 0..<shape.value {
          mixed.append(
            (0...position).reduce(0) {
              $0 + shares[$1] / sum * keysAndValues[$1][head * shape.expanded + shape.nope + i]
            })
        }
      }
      out += multiply("o_proj", mixed)
    }
    return out
  }
}

@Suite struct LatentAttentionTests {
  private static let seeds = (0..<24).map { UInt64($0) }

  /// |a - b| / |a| of the row where it is largest.
  private func worstRow(_ a: [Double], _ b: [Float], columns: Int) -> Double {
    stride(from: 0, to: a.count, by: columns).map { first in
      var (difference, size) = (0.0, 0.0)
      for i in first..<first + columns {
        difference += (a[i] - Double(b[i])) * (a[i] - Double(b[i]))
        size += a[i] * a[i]
      }
      let error = (difference / size).squareRoot()
      // No comparison finds what is not a number.
      return error.isNaN ? .infinity : error
    }.max() ?? .infinity
  }

  @Test(arguments: seeds)
  func expandedIsThePublishedDefinition(seed: UInt64) {
    let item = LatentCase(seed)
    let error = worstRow(item.exact(), item.run(chunk: item.chunk), columns: item.hidden)
    #expect(error < 1e-4, "\(item.testDescription)")
  }

  @Test(arguments: seeds)
  func absorbedEqualsExpanded(seed: UInt64) {
    let item = LatentCase(seed)
    let expanded = item.run(chunk: item.chunk).map(Double.init)
    for written in [0, item.count / 2] {
      let absorbed = item.run(chunk: 1, written: written)
      let error = worstRow(expanded, absorbed, columns: item.hidden)
      #expect(error < 1e-4, "\(item.testDescription), written from \(written) on")
    }
  }

  /// A row has the same bits in any chunk and with any number of threads.
  @Test(arguments: seeds.prefix(12), [ActivationMode.float32, .int8])
  func chunksAndThreads(seed: UInt64, mode: ActivationMode) {
    let item = LatentCase(seed)
    for written in [0, item.count / 2, item.count] {
      let expected = item.run(chunk: item.count, written: written, threads: 1, mode: mode)
      for (chunk, threads) in [(1, 1), (item.chunk, 2), (7, 3)] {
        let found = item.run(chunk: chunk, written: written, threads: threads, mode: mode)
        #expect(
          sameBits(found, expected, found.count),
          "\(item.testDescription): chunks of \(chunk), \(threads) threads, written from \(written) on")
      }
    }
  }

  /// A layer keeps the latent and the rotary key of each position, whatever the number of heads.
  @Test func cacheHoldsLatents() {
    let item = LatentCase(2)
    let attention = LatentAttention(
      item.weights, shape: item.shape, rotary: RotaryTable(size: item.shape.rope, theta: 10000),
      scratch: AttentionScratch(threads: 1),
      arithmetic: Arithmetic(pool: WorkerPool(threads: 1), mode: .float32))
    #expect(attention.cacheBytes(capacity: 4096) == 4 * 4096 * (item.shape.rank + item.shape.rope))
  }

  /// A budget counts on it.
  @Test(arguments: 0..<24) func memoryOfReading(seed: UInt64) {
    let latent = LatentCase(seed)
    let scratch = AttentionScratch(threads: 2)
    _ = latent.run(chunk: latent.chunk, scratch: scratch)
    let shape = latent.shape
    let row = shape.heads * (shape.key + shape.value) + shape.kept + (shape.queryRank ?? 0)
    let most =
      LatentAttention.expandedBytes(shape, positions: latent.count) + latent.count * row * 4 + 6 * 64
    #expect(scratch.byteCount <= most, "\(latent)")
    #expect(scratch.byteCount > most / 4, "\(latent)")
  }

  /// Keys and values of some heads at a time are what a long prompt takes, not those of all.
  @Test func memoryOfLongPrompts() {
    let small = LatentAttention.Shape(heads: 16, queryRank: nil, rank: 512, nope: 128, rope: 64, value: 128)
    let all = 3500 * 16 * (small.expanded + small.key) * 4
    #expect(LatentAttention.expandedBytes(small, positions: 3500) < all / 2)
    var before = 0
    for positions in stride(from: 1, through: 4096, by: 65) {
      let bytes = LatentAttention.expandedBytes(small, positions: positions)
      #expect(bytes >= before)
      before = bytes
    }
  }
}

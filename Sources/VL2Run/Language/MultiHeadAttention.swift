import SIMDKernels
import VL2Quant

/// Plain multi-head attention with rotary positions (Tiny), halves of a head side by side.
///
/// A layer's cache holds the key-value heads one after the other: in int8 as blocks of 32 positions
/// (`vl2_key_value_block_bytes`), in float32 first all keys in blocks of 16, [head][block][size][16], and then all values,
/// [head][position][size].
package final class MultiHeadAttention: Attention {
  private let heads: Int
  private let keyValueHeads: Int
  private let size: Int
  private let keyValues: KeyValueCode
  private let q, k, v, o: Linear
  private let rotary: RotaryTable
  private let arithmetic: Arithmetic
  private let scratch: AttentionScratch

  package init(
    _ file: Weights, layer: Int, heads: Int, keyValueHeads: Int, headSize: Int, keyValues: KeyValueCode,
    rotary: RotaryTable, scratch: AttentionScratch, arithmetic: Arithmetic
  ) throws {
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    size = headSize
    self.keyValues = keyValues
    self.rotary = rotary
    self.scratch = scratch
    self.arithmetic = arithmetic
    let hidden = file.config.language.hiddenSize
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) throws -> Linear {
      let name = "language.model.layers.\(layer).self_attn.\(name).weight"
      return Linear(try file.matrix(name, rows: outputs, columns: inputs))
    }
    q = try linear("q_proj", heads * headSize, hidden)
    k = try linear("k_proj", keyValueHeads * headSize, hidden)
    v = try linear("v_proj", keyValueHeads * headSize, hidden)
    o = try linear("o_proj", hidden, heads * headSize)
  }

  package func cacheBytes(capacity: Int) -> Int {
    keyValueHeads * keyValues.bytes(positions: capacity, headSize: size)
  }

  package func attend(
    _ x: Rows, start: Int, phase: Phase, cache: UnsafeMutableRawPointer, capacity: Int, into out: Rows
  ) {
    let count = x.count
    let queries = Rows(scratch.queries.reserve(count * q.outputs), count: count, columns: q.outputs)
    let newKeys = Rows(scratch.keys.reserve(count * k.outputs), count: count, columns: k.outputs)
    let newValues = Rows(scratch.values.reserve(count * v.outputs), count: count, columns: v.outputs)
    let attended = Rows(scratch.attended.reserve(count * q.outputs), count: count, columns: q.outputs)

    arithmetic.enter(.queries)
    let prepared = arithmetic.prepare(x, for: [q, k, v])
    arithmetic.multiply([
      Product(q, prepared, count: count, into: queries), Product(k, prepared, count: count, into: newKeys),
      Product(v, prepared, count: count, into: newValues),
    ])
    rotate(queries, newKeys, start: start)
    switch keyValues {
    case .int8:
      attendInt8(
        queries, newKeys, newValues, start: start, cache: cache.assumingMemoryBound(to: UInt8.self),
        headBytes: keyValues.bytes(positions: capacity, headSize: size), into: attended)
    case .float32:
      attendFloat(
        queries, newKeys, newValues, start: start, cache: cache.assumingMemoryBound(to: Float.self),
        capacity: capacity, into: attended)
    }
    arithmetic.enter(.output)
    arithmetic.multiply(o, arithmetic.prepare(attended, for: [o]), count: count, into: out)
  }

  private func rotate(_ queries: Rows, _ keys: Rows, start: Int) {
    let kernels = vl2_kernels_active().pointee
    arithmetic.enter(.positions)
    rotary.reach(start + queries.count)
    rotary.withTables { cosines, sines in
      arithmetic.forEachRowRange(queries.count) { range in
        for row in range {
          let angles = (start + row) * size / 2
          kernels.rope_halves(queries[row], heads, size, cosines + angles, sines + angles)
          kernels.rope_halves(keys[row], keyValueHeads, size, cosines + angles, sines + angles)
        }
      }
    }
  }

  /// Calls `body` for tiles of query rows of each head: enough work items for all threads, each with enough to do.
  private func forEachTile(
    _ count: Int, _ body: (_ head: Int, _ keyValueHead: Int, _ rows: Range<Int>, _ worker: Int) -> Void
  ) {
    arithmetic.enter(.attention)
    let tile = 32
    let tiles = (count + tile - 1) / tile
    let shared = heads / keyValueHeads
    arithmetic.pool.run(heads * tiles) { item, worker in
      let (head, part) = item.quotientAndRemainder(dividingBy: tiles)
      body(head, head / shared, part * tile..<min(count, (part + 1) * tile), worker)
    }
  }

  private var scale: Float { 1 / Float(size).squareRoot() }

  private func attendInt8(
    _ queries: Rows, _ newKeys: Rows, _ newValues: Rows, start: Int, cache: UnsafeMutablePointer<UInt8>,
    headBytes: Int, into attended: Rows
  ) {
    let count = queries.count
    let kernels = vl2_kernels_active().pointee
    func store(_ head: Int) {
      kernels.store_key_values(
        cache + head * headBytes, start, count, newKeys.base + head * size, newKeys.stride, size,
        newValues.base + head * size, newValues.stride, size)
    }
    if count == 1 {
      // Less work than telling the other threads of it.
      for head in 0..<keyValueHeads { store(head) }
    } else {
      arithmetic.pool.run(keyValueHeads) { head, _ in store(head) }
    }
    forEachTile(count) { head, keyValueHead, rows, worker in
      let keys = start + rows.upperBound
      var args = vl2_attention_i8_args(
        query: queries[rows.lowerBound] + head * size, query_stride: queries.stride, queries: rows.count,
        blocks: cache + keyValueHead * headBytes, key_count: keys, key_dim: size, value_dim: size,
        causal: true,
        visible: start + rows.lowerBound + 1, scale: scale, out: attended[rows.lowerBound] + head * size,
        out_stride: attended.stride,
        scratch: scratch.scores[worker].reserve(vl2_attention_i8_scratch(keys, size), of: UInt8.self))
      kernels.attention_i8(&args)
    }
  }

  private func attendFloat(
    _ queries: Rows, _ newKeys: Rows, _ newValues: Rows, start: Int, cache: UnsafeMutablePointer<Float>,
    capacity: Int, into attended: Rows
  ) {
    let (count, size) = (queries.count, size)
    let kernels = vl2_kernels_active().pointee
    let blockCapacity = (capacity + 15) / 16
    let values = cache + keyValueHeads * blockCapacity * 16 * size
    arithmetic.forEachRowRange(count) { range in
      for row in range {
        let (block, lane) = (start + row).quotientAndRemainder(dividingBy: 16)
        for head in 0..<keyValueHeads {
          let target = cache + (head * blockCapacity + block) * size * 16 + lane
          let source = newKeys[row] + head * size
          for i in 0..<size { target[i * 16] = source[i] }
          (values + (head * capacity + start + row) * size).update(
            from: newValues[row] + head * size, count: size)
        }
      }
    }
    forEachTile(count) { head, keyValueHead, rows, worker in
      let keys = start + rows.upperBound
      var args = vl2_attention_args(
        query: queries[rows.lowerBound] + head * size, query_stride: queries.stride, queries: rows.count,
        keys: cache + keyValueHead * blockCapacity * size * 16, key_block_step: size * 16,
        values: values + keyValueHead * capacity * size, value_stride: size, value_block_step: 0,
        key_count: keys, key_dim: size, value_dim: size, causal: true, visible: start + rows.lowerBound + 1,
        scale: scale, out: attended[rows.lowerBound] + head * size, out_stride: attended.stride,
        scratch: scratch.scores[worker].reserve(vl2_attention_scratch(keys), of: Float.self))
      kernels.attention(&args)
    }
  }
}

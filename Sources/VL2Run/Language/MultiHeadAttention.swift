import SIMDKernels
import VL2Quant

/// Plain multi-head attention with rotary positions (Tiny), halves of a head side by side.
///
/// A layer's cache holds, for each key-value head, its keys in blocks of 16, [block][size][16], and then, for
/// each head, its values, [position][size].
package final class MultiHeadAttention: Attention {
  private let heads: Int
  private let keyValueHeads: Int
  private let size: Int
  private let q, k, v, o: Linear
  private let rotary: RotaryTable
  private let arithmetic: Arithmetic
  private let scratch: AttentionScratch

  package init(
    _ file: Weights, layer: Int, heads: Int, keyValueHeads: Int, headSize: Int, rotary: RotaryTable,
    scratch: AttentionScratch, arithmetic: Arithmetic
  ) throws {
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    size = headSize
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

  package func cacheFloats(capacity: Int) -> Int {
    let blocks = (capacity + 15) / 16
    return keyValueHeads * size * (blocks * 16 + capacity)
  }

  package func attend(
    _ x: Rows, start: Int, phase: Phase, cache: UnsafeMutablePointer<Float>, capacity: Int, into out: Rows
  ) {
    let count = x.count
    let kernels = vl2_kernels_active().pointee
    let queries = Rows(scratch.queries.reserve(count * q.outputs), count: count, columns: q.outputs)
    let newKeys = Rows(scratch.keys.reserve(count * k.outputs), count: count, columns: k.outputs)
    let newValues = Rows(scratch.values.reserve(count * v.outputs), count: count, columns: v.outputs)
    let attended = Rows(scratch.attended.reserve(count * q.outputs), count: count, columns: q.outputs)

    let prepared = arithmetic.prepare(x, for: [q, k, v])
    arithmetic.multiply([
      Product(q, prepared, count: count, into: queries), Product(k, prepared, count: count, into: newKeys),
      Product(v, prepared, count: count, into: newValues),
    ])

    let size = size
    let blockCapacity = (capacity + 15) / 16
    let values = cache + keyValueHeads * blockCapacity * 16 * size
    rotary.reach(start + count)
    rotary.withTables { cosines, sines in
      arithmetic.forEachRowRange(count) { range in
        for row in range {
          let angles = (start + row) * size / 2
          kernels.rope_halves(queries[row], heads, size, cosines + angles, sines + angles)
          kernels.rope_halves(newKeys[row], keyValueHeads, size, cosines + angles, sines + angles)
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
    }

    // One work item is a head's tile of query rows: enough items for all threads, each with enough work.
    let tile = 32
    let tiles = (count + tile - 1) / tile
    arithmetic.pool.run(heads * tiles) { item, worker in
      let (head, part) = item.quotientAndRemainder(dividingBy: tiles)
      let first = part * tile
      let rows = min(tile, count - first)
      let keyValueHead = head / (heads / keyValueHeads)
      let keys = start + first + rows
      var args = vl2_attention_args(
        query: queries[first] + head * size, query_stride: queries.stride, queries: rows,
        keys: cache + keyValueHead * blockCapacity * size * 16, key_block_step: size * 16,
        values: values + keyValueHead * capacity * size, value_stride: size, value_block_step: 0,
        key_count: keys, key_dim: size, value_dim: size, causal: true, visible: start + first + 1,
        scale: 1 / Float(size).squareRoot(), out: attended[first] + head * size, out_stride: attended.stride,
        scratch: scratch.scores[worker].reserve(vl2_attention_scratch(keys), of: Float.self))
      kernels.attention(&args)
    }
    arithmetic.multiply(o, arithmetic.prepare(attended, for: [o]), count: count, into: out)
  }
}

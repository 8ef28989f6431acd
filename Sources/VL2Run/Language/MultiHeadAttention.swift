import SIMDKernels

/// Plain multi-head attention (Tiny) with rotary positions: value i of a head pairs with value i + size / 2.
///
/// A layer's cache holds the key-value heads one after the other. In int8 a head is stored as blocks of 32
/// positions (`vl2_key_value_block_bytes`). In float32 all keys come first, in blocks of 16,
/// [head][block][size][16], and then all values, [head][position][size].
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

  package func copy(
    positions: Int, of cache: UnsafeRawPointer, capacity: Int, to copy: UnsafeMutableRawPointer,
    copyCapacity: Int
  ) {
    func move(_ bytes: Int, from start: Int, to target: Int) {
      (copy + target).copyMemory(from: cache + start, byteCount: bytes)
    }
    switch keyValues {
    case .int8:
      let bytes = keyValues.bytes(positions: positions, headSize: size)
      for head in 0..<keyValueHeads {
        move(
          bytes, from: head * keyValues.bytes(positions: capacity, headSize: size),
          to: head * keyValues.bytes(positions: copyCapacity, headSize: size))
      }
    case .float32:
      // All heads' keys in blocks of 16 positions, then all heads' values as rows.
      let row = size * MemoryLayout<Float>.stride
      func keyBytes(_ positions: Int) -> Int { (positions + 15) / 16 * 16 * row }
      for head in 0..<keyValueHeads {
        move(keyBytes(positions), from: head * keyBytes(capacity), to: head * keyBytes(copyCapacity))
        move(
          positions * row, from: keyValueHeads * keyBytes(capacity) + head * capacity * row,
          to: keyValueHeads * keyBytes(copyCapacity) + head * copyCapacity * row)
      }
    }
  }

  package func attend(
    _ x: Rows, start: Int, kind: RowKind, cache: UnsafeMutableRawPointer, capacity: Int, into out: Rows
  ) {
    let count = x.count
    let queries = Rows(scratch.queries.reserve(count * q.outputs), count: count, columns: q.outputs)
    let newKeys = Rows(scratch.keys.reserve(count * k.outputs), count: count, columns: k.outputs)
    let newValues = Rows(scratch.values.reserve(count * v.outputs), count: count, columns: v.outputs)
    let attended = Rows(scratch.attended.reserve(count * q.outputs), count: count, columns: q.outputs)

    arithmetic.enter(.queries)
    let prepared = arithmetic.prepare(x, onlyInt8: q.takesInt8 && k.takesInt8 && v.takesInt8)
    arithmetic.multiply(
      Product(q, prepared, count: count, into: queries), Product(k, prepared, count: count, into: newKeys),
      Product(v, prepared, count: count, into: newValues))
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
    arithmetic.multiply(o, arithmetic.prepare(attended, for: o), count: count, into: out)
  }

  private func rotate(_ queries: Rows, _ keys: Rows, start: Int) {
    let kernels = vl2_kernels_active().pointee
    arithmetic.enter(.positions)
    let (cosines, sines) = rotary.reach(start + queries.count)
    arithmetic.forEachRowRange(queries.count) { range in
      for row in range {
        let angles = (start + row) * size / 2
        kernels.rope_halves(queries[row], heads, size, cosines + angles, sines + angles)
        kernels.rope_halves(keys[row], keyValueHeads, size, cosines + angles, sines + angles)
      }
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
      // Less work than handing it out to the other threads.
      for head in 0..<keyValueHeads { store(head) }
    } else {
      arithmetic.pool.run(keyValueHeads) { head, _ in store(head) }
    }
    let tiles = AttentionTiles(rows: count, heads: heads, keyValueHeads: keyValueHeads)
    arithmetic.enter(.attention)
    arithmetic.run(
      tiles.count,
      Int8Work(
        tiles: tiles, queries: queries, start: start, cache: cache, headBytes: headBytes, size: size,
        scale: scale, attended: attended,
        scratch: scratch.reserveScores(AttentionScratch.bytes(int8Keys: start + count, size: size))))
  }

  private struct Int8Work: SharedWork {
    let tiles: AttentionTiles
    let queries: Rows
    let start: Int
    let cache: UnsafeMutablePointer<UInt8>
    let headBytes: Int
    let size: Int
    let scale: Float
    let attended: Rows
    let scratch: ThreadSlices<UInt8>

    func work(on range: Range<Int>, worker: Int) {
      for item in range {
        let (head, keyValueHead, rows) = tiles[item]
        let first = rows.lowerBound
        var args = vl2_attention_i8_args(
          query: queries[first] + head * size, query_stride: queries.stride, queries: rows.count,
          blocks: cache + keyValueHead * headBytes, key_count: start + rows.upperBound, key_dim: size,
          value_dim: size, causal: true, visible: start + first + 1, scale: scale,
          out: attended[first] + head * size, out_stride: attended.stride, scratch: scratch[worker])
        vl2_kernels_active().pointee.attention_i8(&args)
      }
    }

    static let entry: SharedWorkEntry = {
      $0.assumingMemoryBound(to: Int8Work.self).pointee.work(on: $1..<$2, worker: $3)
    }
  }

  private func attendFloat(
    _ queries: Rows, _ newKeys: Rows, _ newValues: Rows, start: Int, cache: UnsafeMutablePointer<Float>,
    capacity: Int, into attended: Rows
  ) {
    let (count, size) = (queries.count, size)
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
    let tiles = AttentionTiles(rows: count, heads: heads, keyValueHeads: keyValueHeads)
    arithmetic.enter(.attention)
    arithmetic.run(
      tiles.count,
      FloatWork(
        tiles: tiles, queries: queries, start: start, keys: cache, headBlocks: blockCapacity, values: values,
        capacity: capacity, size: size, scale: scale, attended: attended,
        scratch: scratch.reserveScores(AttentionScratch.floats(keys: start + count))))
  }

  private struct FloatWork: SharedWork {
    let tiles: AttentionTiles
    let queries: Rows
    let start: Int
    let keys: UnsafeMutablePointer<Float>
    /// Blocks of 16 positions that a head has room for.
    let headBlocks: Int
    let values: UnsafeMutablePointer<Float>
    let capacity: Int
    let size: Int
    let scale: Float
    let attended: Rows
    let scratch: ThreadSlices<Float>

    func work(on range: Range<Int>, worker: Int) {
      for item in range {
        let (head, keyValueHead, rows) = tiles[item]
        let first = rows.lowerBound
        var args = vl2_attention_args(
          query: queries[first] + head * size, query_stride: queries.stride, queries: rows.count,
          keys: keys + keyValueHead * headBlocks * size * 16, key_block_step: size * 16,
          values: values + keyValueHead * capacity * size, value_stride: size, value_block_step: 0,
          key_count: start + rows.upperBound, key_dim: size, value_dim: size, causal: true,
          visible: start + first + 1, scale: scale, out: attended[first] + head * size,
          out_stride: attended.stride, scratch: scratch[worker])
        vl2_kernels_active().pointee.attention(&args)
      }
    }

    static let entry: SharedWorkEntry = {
      $0.assumingMemoryBound(to: FloatWork.self).pointee.work(on: $1..<$2, worker: $3)
    }
  }
}

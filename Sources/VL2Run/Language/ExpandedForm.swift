import SIMDKernels

extension LatentAttention {
  /// Floats of expanded keys and values to have in memory at a time.
  private static let expandedFloats = 1 << 22

  /// How many heads have their keys and values in memory at a time.
  private static func headsTogether(_ shape: Shape, positions: Int) -> Int {
    max(1, min(shape.heads, expandedFloats / (positions * shape.expanded)))
  }

  /// The most bytes that prompt rows take besides their projections: the latents as rows, and for some heads
  /// the keys and values, with the keys once more in the layout that attention reads.
  package static func expandedBytes(_ shape: Shape, positions: Int) -> Int {
    // The most for this or any smaller number of positions: as many heads as fit, at least one.
    let one = positions * shape.expanded
    let floats = max(one, min(shape.heads * one, expandedFloats))
    // Rows of `kv_b_proj` come in blocks of 16, and positions too.
    let values = floats + 32 * positions
    let keys = (floats + 16 * shape.heads * shape.expanded) / shape.expanded * shape.key
    return (values + keys + positions * shape.rank) * MemoryLayout<Float>.stride
  }

  /// Attention over keys and values that are computed from the latents of all positions, for some heads at a
  /// time. A pair of positions costs a third of what it costs over latents. With many rows, that saves more
  /// than the extra products cost.
  func attendExpanded(
    _ queries: Rows, start: Int, cache: UnsafeMutablePointer<Float>, into attended: Rows
  ) {
    let shape = shape
    let positions = start + queries.count
    let latents = latentRows(cache, count: positions)
    let prepared = arithmetic.prepare(latents, for: weights.up)
    let together = Self.headsTogether(shape, positions: positions)
    for first in stride(from: 0, to: shape.heads, by: together) {
      let heads = first..<min(first + together, shape.heads)
      let (linear, skipped) = weights.up.covering(
        rows: heads.lowerBound * shape.expanded..<heads.upperBound * shape.expanded)
      let expanded = Rows(
        scratch.values.reserve(positions * linear.outputs), count: positions, columns: linear.outputs)
      arithmetic.multiply(linear, prepared, count: positions, into: expanded)
      let ours = Rows(
        expanded.base + skipped, count: positions, columns: heads.count * shape.expanded,
        stride: expanded.stride)
      attend(queries, heads: heads, start: start, keysAndValues: ours, cache: cache, into: attended)
    }
  }

  /// The latents of the first `count` positions as rows.
  private func latentRows(_ cache: UnsafeMutablePointer<Float>, count: Int) -> Rows {
    let shape = shape
    let rows = Rows(scratch.latents.reserve(count * shape.rank), count: count, columns: shape.rank)
    arithmetic.forEachRowRange(count) { range in
      for position in range {
        let source = cache + position / 16 * 16 * shape.kept + position % 16
        let target = rows[position]
        for i in 0..<shape.rank { target[i] = source[i * 16] }
      }
    }
    return rows
  }

  /// - Parameter keysAndValues: [position][head][nope + value] for `heads`.
  private func attend(
    _ queries: Rows, heads: Range<Int>, start: Int, keysAndValues: Rows,
    cache: UnsafeMutablePointer<Float>, into attended: Rows
  ) {
    let (count, shape) = (queries.count, shape)
    let positions = keysAndValues.count
    let blocks = (positions + 15) / 16
    let blockFloats = 16 * shape.key
    let keys = scratch.keys.reserve(heads.count * blocks * blockFloats, of: Float.self)
    arithmetic.pool.run(blocks) { block, _ in
      let lanes = min(16, positions - block * 16)
      let rotaryKeys = cache + (block * shape.kept + shape.rank) * 16
      for head in 0..<heads.count {
        let target = keys + (head * blocks + block) * blockFloats
        for lane in 0..<lanes {
          let source = keysAndValues[block * 16 + lane] + head * shape.expanded
          for i in 0..<shape.nope { target[i * 16 + lane] = source[i] }
        }
        for lane in lanes..<16 {
          for i in 0..<shape.nope { target[i * 16 + lane] = 0 }
        }
        (target + shape.nope * 16).update(from: rotaryKeys, count: shape.rope * 16)
      }
    }

    // One work item is a head's tile of query rows: enough items for all threads, each with enough work.
    let tile = 32
    let tiles = (count + tile - 1) / tile
    let kernels = vl2_kernels_active().pointee
    let scratch = scratch.reserveScores(AttentionScratch.floats(keys: start + count), of: Float.self)
    arithmetic.pool.run(heads.count * tiles) { item, worker in
      let (head, part) = item.quotientAndRemainder(dividingBy: tiles)
      let first = part * tile
      let rows = min(tile, count - first)
      let seen = start + first + rows
      var args = vl2_attention_args(
        query: queries[first] + (heads.lowerBound + head) * shape.key, query_stride: queries.stride,
        queries: rows, keys: keys + head * blocks * blockFloats, key_block_step: blockFloats,
        values: keysAndValues.base + head * shape.expanded + shape.nope, value_stride: keysAndValues.stride,
        value_block_step: 0, key_count: seen, key_dim: shape.key, value_dim: shape.value, causal: true,
        visible: start + first + 1, scale: scale,
        out: attended[first] + (heads.lowerBound + head) * shape.value, out_stride: attended.stride,
        scratch: scratch[worker])
      kernels.attention(&args)
    }
  }
}

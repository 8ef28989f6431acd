import SIMDKernels

extension LatentAttention {
  /// Attention over the latents themselves.
  ///
  /// A head's key is K c for the latent c, with K its rows of `kv_b_proj`, and q . K c = (K^T q) . c: the query is
  /// multiplied once, and all heads read the same latents. Values follow in the same way: the sum of weighted V c is V
  /// times the sum of weighted c. K^T q is computed from float32 queries in every mode.
  func attendAbsorbed(
    _ queries: Rows, start: Int, cache: UnsafeMutablePointer<Float>, into attended: Rows
  ) {
    let (count, shape) = (queries.count, shape)
    arithmetic.enter(.absorbed)
    let kernels = vl2_kernels_active().pointee
    let absorbed = Rows(
      scratch.keys.reserve(count * shape.heads * shape.kept), count: count * shape.heads, columns: shape.kept)
    arithmetic.pool.run(shape.heads) { head, _ in
      var matrix = weights.up.matrix
      kernels.matmul_transposed(
        &matrix, head * shape.expanded, shape.nope, queries.base + head * shape.key, queries.stride, count,
        absorbed[head], shape.heads * shape.kept)
      for row in 0..<count {
        (absorbed[row * shape.heads + head] + shape.rank).update(
          from: queries[row] + head * shape.key + shape.nope, count: shape.rope)
      }
    }

    // Heads are the kernel's queries. As many share a work item as keeps all threads busy, up to what the kernel takes
    // together.
    let mixed = Rows(
      scratch.latents.reserve(count * shape.heads * shape.rank), count: count * shape.heads,
      columns: shape.rank)
    arithmetic.enter(.attention)
    let together = max(1, min(8, count * shape.heads / arithmetic.pool.threads))
    let tiles = (shape.heads + together - 1) / together
    arithmetic.pool.run(count * tiles) { item, worker in
      let (row, tile) = item.quotientAndRemainder(dividingBy: tiles)
      let first = tile * together
      let keys = start + row + 1
      var args = vl2_attention_args(
        query: absorbed[row * shape.heads + first], query_stride: absorbed.stride,
        queries: min(together, shape.heads - first), keys: cache, key_block_step: 16 * shape.kept,
        values: cache, value_stride: 0, value_block_step: 16 * shape.kept, key_count: keys,
        key_dim: shape.kept, value_dim: shape.rank, causal: false, visible: keys, scale: scale,
        out: mixed[row * shape.heads + first], out_stride: mixed.stride,
        scratch: scratch.scores[worker].reserve(vl2_attention_scratch(keys), of: Float.self))
      kernels.attention(&args)
    }
    multiplyValues(mixed, into: attended)
  }

  /// attended[row][head] = V of the head times mixed[row][head]
  private func multiplyValues(_ mixed: Rows, into attended: Rows) {
    let (count, shape) = (attended.count, shape)
    arithmetic.enter(.absorbed)
    // Rows of `kv_b_proj` that share a block of 16 with others come along and are left behind.
    let width = (shape.value + 15) / 16 * 16 + 16
    let out = Rows(
      scratch.values.reserve(shape.heads * count * width), count: shape.heads * count, columns: width)
    let prepared = arithmetic.prepare(mixed, for: [weights.up])
    let parts = (0..<shape.heads).map { head in
      let first = head * shape.expanded + shape.nope
      return weights.up.covering(rows: first..<first + shape.value)
    }
    let index = (0..<shape.heads * count).map { UInt32($0 % count * shape.heads + $0 / count) }
    index.withUnsafeBufferPointer { index in
      arithmetic.multiply(
        parts.enumerated().map { head, part in
          Product(
            part.linear, prepared, index: index.baseAddress! + head * count, count: count,
            into: out.slice(head * count..<(head + 1) * count))
        })
    }
    for (head, part) in parts.enumerated() {
      for row in 0..<count {
        (attended[row] + head * shape.value).update(
          from: out[head * count + row] + part.skipped, count: shape.value)
      }
    }
  }
}

import SIMDKernels

extension LatentAttention {
  /// Attention over the latents themselves.
  ///
  /// A head's key is K c, where c is the latent and K the head's rows of `kv_b_proj`. Then
  /// q . K c = (K^T q) . c: the query is multiplied by K^T once, and all heads read the same latents. The
  /// same holds for values: the sum of weighted V c is V times the sum of weighted c. K^T q is computed from
  /// float32 queries in every mode.
  func attendAbsorbed(
    _ queries: Rows, start: Int, cache: UnsafeMutablePointer<Float>, into attended: Rows
  ) {
    let (count, shape) = (queries.count, shape)
    arithmetic.enter(.absorbed)
    let absorbed = Rows(
      scratch.keys.reserve(count * shape.heads * shape.kept), count: count * shape.heads, columns: shape.kept)
    arithmetic.run(
      shape.heads,
      AbsorbingWork(matrix: weights.up.matrix, shape: shape, queries: queries, absorbed: absorbed))

    // The kernel takes heads as its queries. A work item has as many heads as keeps all threads busy, up to
    // what the kernel takes together.
    let mixed = Rows(
      scratch.latents.reserve(count * shape.heads * shape.rank), count: count * shape.heads,
      columns: shape.rank)
    arithmetic.enter(.attention)
    let together = max(1, min(8, count * shape.heads / arithmetic.pool.threads))
    let tiles = (shape.heads + together - 1) / together
    arithmetic.run(
      count * tiles,
      LatentWork(
        shape: shape, together: together, tiles: tiles, start: start, cache: cache,
        absorbed: absorbed, scale: scale, mixed: mixed,
        scratch: scratch.reserveScores(AttentionScratch.floats(keys: start + count))))
    multiplyValues(mixed, into: attended)
  }

  /// absorbed[row][head] = K^T q, followed by the query's rotary part; an item is a head.
  private struct AbsorbingWork: SharedWork {
    let matrix: vl2_matrix
    let shape: Shape
    let queries, absorbed: Rows

    func work(on heads: Range<Int>, worker: Int) {
      var matrix = matrix
      let kernels = vl2_kernels_active().pointee
      for head in heads {
        kernels.matmul_transposed(
          &matrix, head * shape.expanded, shape.nope, queries.base + head * shape.key, queries.stride,
          queries.count, absorbed[head], shape.heads * shape.kept)
        for row in 0..<queries.count {
          (absorbed[row * shape.heads + head] + shape.rank).update(
            from: queries[row] + head * shape.key + shape.nope, count: shape.rope)
        }
      }
    }

    static let entry: SharedWorkEntry = {
      $0.assumingMemoryBound(to: AbsorbingWork.self).pointee.work(on: $1..<$2, worker: $3)
    }
  }

  /// Attention over latents; an item is some heads of a row.
  private struct LatentWork: SharedWork {
    let shape: Shape
    let together, tiles, start: Int
    let cache: UnsafeMutablePointer<Float>
    let absorbed: Rows
    let scale: Float
    let mixed: Rows
    let scratch: ThreadSlices<Float>

    func work(on range: Range<Int>, worker: Int) {
      for item in range {
        let (row, tile) = item.quotientAndRemainder(dividingBy: tiles)
        let first = tile * together
        let keys = start + row + 1
        var args = vl2_attention_args(
          query: absorbed[row * shape.heads + first], query_stride: absorbed.stride,
          queries: min(together, shape.heads - first), keys: cache, key_block_step: 16 * shape.kept,
          values: cache, value_stride: 0, value_block_step: 16 * shape.kept, key_count: keys,
          key_dim: shape.kept, value_dim: shape.rank, causal: false, visible: keys, scale: scale,
          out: mixed[row * shape.heads + first], out_stride: mixed.stride, scratch: scratch[worker])
        vl2_kernels_active().pointee.attention(&args)
      }
    }

    static let entry: SharedWorkEntry = {
      $0.assumingMemoryBound(to: LatentWork.self).pointee.work(on: $1..<$2, worker: $3)
    }
  }

  /// attended[row][head] = V of the head times mixed[row][head]
  private func multiplyValues(_ mixed: Rows, into attended: Rows) {
    let (count, shape) = (attended.count, shape)
    arithmetic.enter(.absorbed)
    // Blocks of 16 rows of `kv_b_proj` are multiplied whole: the rows in them that are not needed are not copied.
    let width = (shape.value + 15) / 16 * 16 + 16
    let out = Rows(
      scratch.values.reserve(shape.heads * count * width), count: shape.heads * count, columns: width)
    let prepared = arithmetic.prepare(mixed, for: weights.up)
    func values(_ head: Int) -> (linear: Linear, skipped: Int) {
      let first = head * shape.expanded + shape.nope
      return weights.up.covering(rows: first..<first + shape.value)
    }
    scratch.index.removeAll()
    for head in 0..<shape.heads {
      for row in 0..<count { scratch.index.append(UInt32(row * shape.heads + head)) }
    }
    let index = scratch.index.base
    scratch.products.removeAll()
    for head in 0..<shape.heads {
      scratch.products.append(
        Product(
          values(head).linear, prepared, index: index.map { $0 + head * count }, count: count,
          into: out.slice(head * count..<(head + 1) * count)))
    }
    arithmetic.multiply(scratch.products.elements)
    for head in 0..<shape.heads {
      let skipped = values(head).skipped
      for row in 0..<count {
        (attended[row] + head * shape.value).update(
          from: out[head * count + row] + skipped, count: shape.value)
      }
    }
  }
}

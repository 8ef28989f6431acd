import SIMDKernels

/// Multi-head latent attention (Small, Base). The cache keeps one latent and one rotary key for each
/// position, which all heads share; each head's keys and values are products of the latent with `kv_b_proj`.
///
/// Source: "DeepSeek-V2", arXiv:2405.04434, section 2.1. For prompt rows, keys and values are computed from
/// the latents (`ExpandedForm.swift`). For answer rows, that product is moved to the query and to the result
/// (`AbsorbedForm.swift`), so that decoding a token reads only the latents.
///
/// A layer's cache holds the latents and rotary keys in blocks of 16 positions, [block][rank + rope][16].
package final class LatentAttention: Attention {
  /// Sizes of the attention, as the config names them.
  package struct Shape: Sendable {
    package var heads: Int
    /// Width of the query's own latent (`q_lora_rank`); nil where queries have none.
    package var queryRank: Int?
    /// Width of the latent that is kept (`kv_lora_rank`).
    package var rank: Int
    /// How many values of a head's query and key carry no position, and how many do.
    package var nope: Int
    package var rope: Int
    /// How many values a head's value vector has.
    package var value: Int

    package init(heads: Int, queryRank: Int?, rank: Int, nope: Int, rope: Int, value: Int) {
      self.heads = heads
      self.queryRank = queryRank
      self.rank = rank
      self.nope = nope
      self.rope = rope
      self.value = value
    }

    /// How many values a query or a key of one head has.
    package var key: Int { nope + rope }
    /// How many values the cache keeps for a position.
    package var kept: Int { rank + rope }
    /// Rows of `kv_b_proj` for one head: those of its keys, then those of its values.
    package var expanded: Int { nope + value }
  }

  package struct Matrices {
    /// `q_a_proj` with the norm behind it; nil where queries have no latent.
    package var queryDown: (linear: Linear, norm: UnsafePointer<Float>)?
    /// `q_b_proj`, or `q_proj` where queries have no latent.
    package var query: Linear
    /// `kv_a_proj_with_mqa` and the norm of its latent.
    package var down: Linear
    package var latentNorm: UnsafePointer<Float>
    /// `kv_b_proj`: for each head the rows of its keys, then those of its values. One matrix serves both forms:
    /// products with latents read its rows, and products with queries add its rows up, 16 lanes at a time.
    package var up: Linear
    /// `o_proj`
    package var output: Linear

    package init(
      queryDown: (linear: Linear, norm: UnsafePointer<Float>)?, query: Linear, down: Linear,
      latentNorm: UnsafePointer<Float>, up: Linear, output: Linear
    ) {
      self.queryDown = queryDown
      self.query = query
      self.down = down
      self.latentNorm = latentNorm
      self.up = up
      self.output = output
    }

    /// - Throws: `PackedFileError` for a file without a tensor that the shape demands.
    package init(_ file: Weights, layer: Int, shape: Shape) throws {
      let hidden = file.config.language.hiddenSize
      let p = "language.model.layers.\(layer).self_attn."
      func linear(_ name: String, _ outputs: Int, _ inputs: Int) throws -> Linear {
        Linear(try file.matrix(p + name + ".weight", rows: outputs, columns: inputs))
      }
      func norm(_ name: String, _ width: Int) throws -> UnsafePointer<Float> {
        try file.plain(p + name + ".weight", count: width).baseAddress!
      }
      if let rank = shape.queryRank {
        queryDown = (try linear("q_a_proj", rank, hidden), try norm("q_a_layernorm", rank))
        query = try linear("q_b_proj", shape.heads * shape.key, rank)
      } else {
        queryDown = nil
        query = try linear("q_proj", shape.heads * shape.key, hidden)
      }
      down = try linear("kv_a_proj_with_mqa", shape.kept, hidden)
      latentNorm = try norm("kv_a_layernorm", shape.rank)
      up = try linear("kv_b_proj", shape.heads * shape.expanded, shape.rank)
      output = try linear("o_proj", hidden, shape.heads * shape.value)
    }
  }

  /// The norms inside this attention use this epsilon, whatever the config says.
  private static let normEpsilon: Float = 1e-6

  let shape: Shape
  let weights: Matrices
  private let rotary: RotaryTable
  let arithmetic: Arithmetic
  let scratch: AttentionScratch

  package init(
    _ weights: Matrices, shape: Shape, rotary: RotaryTable, scratch: AttentionScratch, arithmetic: Arithmetic
  ) {
    self.weights = weights
    self.shape = shape
    self.rotary = rotary
    self.scratch = scratch
    self.arithmetic = arithmetic
  }

  package func cacheBytes(capacity: Int) -> Int {
    (capacity + 15) / 16 * 16 * shape.kept * MemoryLayout<Float>.stride
  }

  package func copy(
    positions: Int, of cache: UnsafeRawPointer, capacity: Int, to copy: UnsafeMutableRawPointer,
    copyCapacity: Int
  ) {
    // Blocks of 16 positions, one after the other.
    copy.copyMemory(from: cache, byteCount: cacheBytes(capacity: positions))
  }

  package func attend(
    _ x: Rows, start: Int, kind: RowKind, cache: UnsafeMutableRawPointer, capacity: Int, into out: Rows
  ) {
    let cache = cache.assumingMemoryBound(to: Float.self)
    let queries = project(x, start: start, cache: cache)
    let output = weights.output
    let attended = Rows(
      scratch.attended.reserve(x.count * output.inputs), count: x.count, columns: output.inputs)
    switch kind {
    case .prompt: attendExpanded(queries, start: start, cache: cache, into: attended)
    case .answer: attendAbsorbed(queries, start: start, cache: cache, into: attended)
    }
    arithmetic.enter(.output)
    arithmetic.multiply(output, arithmetic.prepare(attended, for: output), count: x.count, into: out)
  }

  var scale: Float { 1 / Float(shape.key).squareRoot() }

  /// Computes queries, and writes the latents and rotary keys of the rows' positions to the cache.
  ///
  /// - Returns: [count][heads][key], the rotary part of each head last.
  private func project(_ x: Rows, start: Int, cache: UnsafeMutablePointer<Float>) -> Rows {
    let (count, shape) = (x.count, shape)
    let (query, down) = (weights.query, weights.down)
    arithmetic.enter(.queries)
    let queries = Rows(scratch.queries.reserve(count * query.outputs), count: count, columns: query.outputs)
    let latents = Rows(scratch.newLatents.reserve(count * shape.kept), count: count, columns: shape.kept)
    let kernels = vl2_kernels_active().pointee
    if let queryDown = weights.queryDown {
      let rank = queryDown.linear.outputs
      let lowered = Rows(scratch.keys.reserve(count * rank), count: count, columns: rank)
      let prepared = arithmetic.prepare(x, onlyInt8: queryDown.linear.takesInt8 && down.takesInt8)
      arithmetic.multiply(
        Product(queryDown.linear, prepared, count: count, into: lowered),
        Product(down, prepared, count: count, into: latents))
      arithmetic.forEachRowRange(count) { range in
        let first = lowered[range.lowerBound]
        kernels.rms_norm(
          first, rank, range.count, rank, queryDown.norm, Self.normEpsilon, first, rank)
      }
      arithmetic.multiply(query, arithmetic.prepare(lowered, for: query), count: count, into: queries)
    } else {
      let prepared = arithmetic.prepare(x, onlyInt8: query.takesInt8 && down.takesInt8)
      arithmetic.multiply(
        Product(query, prepared, count: count, into: queries),
        Product(down, prepared, count: count, into: latents))
    }
    arithmetic.enter(.positions)
    let (cosines, sines) = rotary.reach(start + count)
    arithmetic.forEachRowRange(count) { range in
      for row in range {
        let (latent, position) = (latents[row], start + row)
        let (cosine, sine) = (cosines + position * shape.rope / 2, sines + position * shape.rope / 2)
        kernels.rope_pairs(queries[row] + shape.nope, shape.heads, shape.key, shape.rope, cosine, sine)
        kernels.rms_norm(
          latent, shape.kept, 1, shape.rank, weights.latentNorm, Self.normEpsilon, latent, shape.kept)
        kernels.rope_pairs(latent + shape.rank, 1, shape.rope, shape.rope, cosine, sine)
        let target = cache + position / 16 * 16 * shape.kept + position % 16
        for i in 0..<shape.kept { target[i * 16] = latent[i] }
      }
    }
    // Prompt rows multiply the latents of all positions, answer rows move the matrix to the query.
    arithmetic.tap?.observe(
      weights.up, Rows(latents.base, count: count, columns: shape.rank, stride: latents.stride))
    return queries
  }
}

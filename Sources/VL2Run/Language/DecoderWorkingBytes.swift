import SIMDKernels
import VL2Quant

extension LanguageConfig {
  /// Bytes that sending rows through the decoder needs besides weights and caches, rounded up rather than down.
  ///
  /// - Parameters:
  ///   - rows: all rows.
  ///   - chunk: rows that go through the weights together.
  ///   - positions: positions of the conversation, including those of the rows.
  ///   - onlyInt8: whether kernels multiply all matrices by int8 rows; other matrices need the rows as floats
  ///     too.
  package func workingBytes(
    rows: Int, chunk: Int, positions: Int, threads: Int, onlyInt8: Bool = false
  ) -> Int {
    let part = min(rows, chunk)
    let float = MemoryLayout<Float>.stride
    // Normalised and summed rows, and the rows of a guess with those it is made from. The input rows belong
    // to the caller, who counts them.
    var bytes = rows * (2 * hiddenSize * float + vl2_quantized_row_bytes(hiddenSize))
    bytes += min(rows, PrefetchMode.guessedRows) * 2 * hiddenSize * float
    // Attention: its rows in and out, queries, keys, values and heads' outputs.
    bytes +=
      part * float * (2 * hiddenSize + attentionColumns) + part * vl2_quantized_row_bytes(attentionColumns)
    bytes +=
      threads
      * max(
        AttentionScratch.floats(keys: positions) * float,
        AttentionScratch.bytes(int8Keys: positions, size: headSize))
    // During prefill, latent attention expands the keys and values of all positions, for some heads at a time.
    if rows > 1, case .mla(let heads, let queryRank, let rank, let nope, let rope, let value) = attention {
      let shape = LatentAttention.Shape(
        heads: heads, queryRank: queryRank, rank: rank, nope: nope, rope: rope, value: value)
      bytes += LatentAttention.expandedBytes(shape, positions: positions)
      bytes += positions * vl2_quantized_row_bytes(rank)
      if !onlyInt8 { bytes += positions * rank * float }
    }
    // Feed-forward.
    let wide = max(denseWidth, sharedWidth)
    bytes += part * (wide * float + vl2_quantized_row_bytes(wide))
    if let routing {
      let pairs = part * routing.expertsPerToken
      bytes += pairs * (expertWidth * float + vl2_quantized_row_bytes(expertWidth) + hiddenSize * float)
      bytes += rows * (2 * routing.expertsPerToken * 24 + routing.experts * float)
    }
    if !onlyInt8 { bytes += rows * hiddenSize * float + part * wide * float }
    return bytes + vocabularySize * float
  }

  /// Values of one head of a query.
  private var headSize: Int {
    switch attention {
    case .mha(_, _, let size): size
    case .mla(_, _, _, let nope, let rope, _): nope + rope
    }
  }

  /// Values that attention computes for a row.
  private var attentionColumns: Int {
    switch attention {
    case .mha(let heads, let keyValueHeads, let size): 2 * (heads + keyValueHeads) * size
    case .mla(let heads, let queryRank, let rank, let nope, let rope, let value):
      heads * (2 * (nope + rope) + 2 * rank + 2 * value) + (queryRank ?? 0) + rank + rope
    }
  }
}

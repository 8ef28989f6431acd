import SIMDKernels
import VL2Quant

/// The SigLIP-style vision tower: tiles in, one row for each patch out.
///
/// Blocks are pre-norm transformers with a fused QKV matrix, biases everywhere, and the tanh form of GELU.
package final class VisionTower {
  private struct Norm {
    var weight: UnsafePointer<Float>
    var bias: UnsafePointer<Float>
  }

  private struct Block {
    var norm1, norm2: Norm
    var qkv, proj, fc1, fc2: Linear
  }

  /// LayerNorm's epsilon in the published tower.
  private static let epsilon: Float = 1e-6

  private let config: VisionConfig
  private let weights: Weights
  private let pixelMean: [Float]
  private let pixelStd: [Float]
  private let patchEmbedding: Linear
  private let positions: UnsafePointer<Float>
  private let blocks: [Block]
  private let norm: Norm
  private let arithmetic: Arithmetic

  private var patchRows = AlignedStorage()
  private var normed = AlignedStorage()
  private var wide = AlignedStorage()
  private var attended = AlignedStorage()
  /// For each thread, the keys, or keys and values, of the head that it works on.
  private var keyBlocks = AlignedStorage()
  private var scores = AlignedStorage()

  package init(_ file: Weights, arithmetic: Arithmetic) throws {
    weights = file
    config = file.config.vision
    self.arithmetic = arithmetic
    let processor = file.config.processor
    pixelMean = processor.imageMean
    pixelStd = processor.imageStd
    let width = config.width
    func norm(_ name: String) throws -> Norm {
      Norm(
        weight: try file.plain(name + ".weight", count: width).baseAddress!,
        bias: try file.plain(name + ".bias", count: width).baseAddress!)
    }
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) throws -> Linear {
      Linear(
        try file.matrix(name + ".weight", rows: outputs, columns: inputs),
        bias: try file.plain(name + ".bias", count: outputs).baseAddress)
    }
    patchEmbedding = try linear(
      "vision.patch_embed.proj", width, 3 * config.patchSize * config.patchSize)
    positions = try file.plain("vision.pos_embed", count: config.patches * width).baseAddress!
    blocks = try (0..<config.layers).map { [config] i in
      let p = "vision.blocks.\(i)."
      return Block(
        norm1: try norm(p + "norm1"), norm2: try norm(p + "norm2"),
        qkv: try linear(p + "attn.qkv", 3 * width, width), proj: try linear(p + "attn.proj", width, width),
        fc1: try linear(p + "mlp.fc1", config.mlpWidth, width),
        fc2: try linear(p + "mlp.fc2", width, config.mlpWidth))
    }
    self.norm = try norm("vision.norm")
  }

  /// Encodes tiles. All tiles go through one block before the next, so that each block's weights are needed once.
  ///
  /// - Parameters:
  ///   - tiles: RGB bytes, [count][side][side][3].
  ///   - out: [count * patches][width], written.
  ///   - batch: tiles that go through the weights together; no bit depends on it.
  ///   - progress: called several times in each layer of a batch, with the number of layers that all tiles went
  ///     through.
  /// - Throws: `PackedFileError` where the weights cannot be read, and what `progress` throws.
  package func encode(
    tiles: UnsafePointer<UInt8>, count: Int, into out: Rows, batch: Int, observer: StageObserver? = nil,
    progress: (Int) throws -> Void = { _ in }
  ) throws {
    do {
      try encodeAll(
        tiles: tiles, count: count, into: out, batch: batch, observer: observer, progress: progress)
    } catch {
      // What a tower that was stopped holds would take the place of experts.
      for section in sections { weights.release(section) }
      throw error
    }
  }

  /// Layers that a tile goes through.
  package var layers: Int { blocks.count }

  /// The sections that encoding uses, in their order.
  private var sections: [String] {
    ["vision.embed"] + blocks.indices.map { "vision.block.\($0)" } + ["vision.out", "projector"]
  }

  private func encodeAll(
    tiles: UnsafePointer<UInt8>, count: Int, into out: Rows, batch: Int, observer: StageObserver?,
    progress: (Int) throws -> Void
  ) throws {
    let tileBytes = config.imageSize * config.imageSize * 3
    let batches = stride(from: 0, to: count, by: batch).map { $0..<min(count, $0 + batch) }
    func rows(_ tiles: Range<Int>) -> Rows {
      out.slice(tiles.lowerBound * config.patches..<tiles.upperBound * config.patches)
    }
    try weights.use("vision.embed", next: "vision.block.0")
    for batch in batches {
      embedPatches(tiles + batch.lowerBound * tileBytes, count: batch.count, into: rows(batch))
    }
    weights.release("vision.embed")
    observer?.observe("vision.embed", out)
    for (i, block) in blocks.enumerated() {
      try weights.use(
        "vision.block.\(i)", next: i + 1 < blocks.count ? "vision.block.\(i + 1)" : "vision.out")
      for batch in batches {
        try apply(block, tiles: batch.count, to: rows(batch)) { try progress(i) }
      }
      try progress(i + 1)
      weights.release("vision.block.\(i)")
      observer?.observe("vision.block.\(i)", out)
    }
    try weights.use("vision.out", next: "projector")
    layerNorm(out, norm, into: out)
    weights.release("vision.out")
    observer?.observe("vision.out", out)
  }

  /// - Parameter afterPart: called after attention, and between the matrices that come then.
  private func apply(_ block: Block, tiles: Int, to out: Rows, afterPart: () throws -> Void) rethrows {
    let kernels = vl2_kernels_active().pointee
    let rows = out.count
    let normed = Rows(self.normed.reserve(rows * config.width), count: rows, columns: config.width)
    let attended = Rows(self.attended.reserve(rows * config.width), count: rows, columns: config.width)
    let wideColumns = max(3 * config.width, config.mlpWidth)
    let wideBase = wide.reserve(rows * wideColumns, of: Float.self)
    let qkv = Rows(wideBase, count: rows, columns: 3 * config.width)
    let hidden = Rows(wideBase, count: rows, columns: config.mlpWidth)
    layerNorm(out, block.norm1, into: normed)
    arithmetic.enter(.queries)
    arithmetic.multiply(block.qkv, arithmetic.prepare(normed, for: block.qkv), count: rows, into: qkv)
    arithmetic.enter(.attention)
    attend(qkv, tiles: tiles, into: attended)
    try afterPart()
    arithmetic.enter(.output)
    arithmetic.multiply(
      block.proj, arithmetic.prepare(attended, for: block.proj), count: rows, into: normed)
    add(normed, to: out)
    try afterPart()

    layerNorm(out, block.norm2, into: normed)
    arithmetic.enter(.inner)
    arithmetic.multiply(block.fc1, arithmetic.prepare(normed, for: block.fc1), count: rows, into: hidden)
    try afterPart()
    arithmetic.enter(.activation)
    let activated = arithmetic.prepare(hidden, for: block.fc2) { range in
      kernels.gelu_tanh(hidden[range.lowerBound], range.count * hidden.columns)
    }
    arithmetic.enter(.down)
    arithmetic.multiply(block.fc2, activated, count: rows, into: normed)
    add(normed, to: out)
  }

  /// Turns pixels into patch rows, [3][patch][patch] as in the checkpoint's kernel, multiplies them by the
  /// kernel and adds the positions.
  private func embedPatches(_ tiles: UnsafePointer<UInt8>, count: Int, into out: Rows) {
    arithmetic.enter(.patches)
    let (patch, grid, side) = (config.patchSize, config.grid, config.imageSize)
    let area = patch * patch
    let columns = 3 * area
    let rows = Rows(patchRows.reserve(out.count * columns), count: out.count, columns: columns)
    let (mean, std) = (pixelMean, pixelStd)
    // (p / 255 - mean) / std for each of the 256 values of each channel.
    let levels = (0..<3).map { c in (0..<256).map { (Float($0) / 255 - mean[c]) / std[c] } }
    arithmetic.forEachRowRange(out.count) { range in
      for row in range {
        let (tile, place) = row.quotientAndRemainder(dividingBy: grid * grid)
        let (y0, x0) = (place / grid * patch, place % grid * patch)
        let target = rows[row]
        for y in 0..<patch {
          let line = tiles + ((tile * side + y0 + y) * side + x0) * 3
          for x in 0..<patch {
            for c in 0..<3 { target[c * area + y * patch + x] = levels[c][Int(line[3 * x + c])] }
          }
        }
      }
    }
    arithmetic.multiply(
      patchEmbedding, arithmetic.prepare(rows, for: patchEmbedding), count: out.count, into: out)
    let kernels = vl2_kernels_active().pointee
    arithmetic.forEachRowRange(out.count) { range in
      for row in range { kernels.add(out[row], positions + row % config.patches * out.columns, out.columns) }
    }
  }

  private func layerNorm(_ rows: Rows, _ norm: Norm, into out: Rows) {
    arithmetic.enter(.norm)
    let kernels = vl2_kernels_active().pointee
    arithmetic.forEachRowRange(rows.count) { range in
      kernels.layer_norm(
        rows[range.lowerBound], rows.stride, range.count, rows.columns, norm.weight, norm.bias, Self.epsilon,
        out[range.lowerBound], out.stride)
    }
  }

  private func add(_ rows: Rows, to out: Rows) {
    arithmetic.enter(.sum)
    let kernels = vl2_kernels_active().pointee
    arithmetic.forEachRowRange(rows.count) { range in
      kernels.add(out[range.lowerBound], rows[range.lowerBound], range.count * rows.columns)
    }
  }

  /// Every patch of a tile attends to all patches of that tile; one work item is one head of one tile.
  private func attend(_ qkv: Rows, tiles: Int, into out: Rows) {
    if arithmetic.mode == .float32 {
      attendFloat(qkv, tiles: tiles, into: out)
    } else {
      attendInt8(qkv, tiles: tiles, into: out)
    }
  }

  private func attendInt8(_ qkv: Rows, tiles: Int, into out: Rows) {
    let (heads, size, patches, width) = (config.heads, config.headSize, config.patches, config.width)
    let kernels = vl2_kernels_active().pointee
    let threads = arithmetic.pool.threads
    let keyValues = ThreadSlices<UInt8>(
      &keyBlocks, KeyValueCode.int8.bytes(positions: patches, headSize: size), threads: threads)
    let scratch = ThreadSlices<UInt8>(&scores, vl2_attention_i8_scratch(patches, size), threads: threads)
    arithmetic.pool.run(tiles * heads) { item, worker in
      let (tile, head) = item.quotientAndRemainder(dividingBy: heads)
      let query = qkv[tile * patches] + head * size
      let blocks = keyValues[worker]
      kernels.store_key_values(
        blocks, 0, patches, query + width, qkv.stride, size, query + 2 * width, qkv.stride, size)
      var args = vl2_attention_i8_args(
        query: query, query_stride: qkv.stride, queries: patches, blocks: blocks, key_count: patches,
        key_dim: size, value_dim: size, causal: false, visible: patches, scale: 1 / Float(size).squareRoot(),
        out: out[tile * patches] + head * size, out_stride: out.stride,
        scratch: scratch[worker])
      kernels.attention_i8(&args)
    }
  }

  private func attendFloat(_ qkv: Rows, tiles: Int, into out: Rows) {
    let (heads, size, patches, width) = (config.heads, config.headSize, config.patches, config.width)
    let kernels = vl2_kernels_active().pointee
    let threads = arithmetic.pool.threads
    let keyFloats = ThreadSlices<Float>(&keyBlocks, (patches + 15) / 16 * size * 16, threads: threads)
    let scratch = ThreadSlices<Float>(&scores, vl2_attention_scratch(patches), threads: threads)
    arithmetic.pool.run(tiles * heads) { item, worker in
      let (tile, head) = item.quotientAndRemainder(dividingBy: heads)
      let query = qkv[tile * patches] + head * size
      let keys = keyFloats[worker]
      packKeys(
        query + width, stride: qkv.stride, count: patches, size: size, into: keys)
      var args = vl2_attention_args(
        query: query, query_stride: qkv.stride, queries: patches, keys: keys, key_block_step: size * 16,
        values: query + 2 * width, value_stride: qkv.stride, value_block_step: 0, key_count: patches,
        key_dim: size, value_dim: size, causal: false, visible: patches, scale: 1 / Float(size).squareRoot(),
        out: out[tile * patches] + head * size, out_stride: out.stride, scratch: scratch[worker])
      kernels.attention(&args)
    }
  }

  /// Packs rows of keys into blocks of 16 keys, [block][size][16]; lanes past the last key are zero.
  private func packKeys(
    _ keys: UnsafePointer<Float>, stride: Int, count: Int, size: Int, into out: UnsafeMutablePointer<Float>
  ) {
    for block in 0..<(count + 15) / 16 {
      let target = out + block * size * 16
      for lane in 0..<16 {
        let key = block * 16 + lane
        if key < count {
          let source = keys + key * stride
          for i in 0..<size { target[i * 16 + lane] = source[i] }
        } else {
          for i in 0..<size { target[i * 16 + lane] = 0 }
        }
      }
    }
  }

  /// Frees the scratch that encoding needed.
  package func releaseScratch() {
    patchRows.release()
    normed.release()
    wide.release()
    attended.release()
    keyBlocks.release()
    scores.release()
  }
}

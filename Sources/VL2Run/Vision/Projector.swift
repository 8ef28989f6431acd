import SIMDKernels
import VL2Quant

/// Turns patch rows of the tower into rows of the language model: each 2 x 2 patches become one row.
package final class Projector {
  private let layers: [Linear]
  private let newline: UnsafeBufferPointer<Float>
  private let separator: UnsafeBufferPointer<Float>
  private let config: ModelConfig
  private let weights: Weights
  private let arithmetic: Arithmetic
  private var unfolded = AlignedStorage()
  private var inner = AlignedStorage()

  /// Rows along a side of a projected tile: half the patches, rounded up.
  package let side: Int

  package init(_ file: Weights, arithmetic: Arithmetic) throws {
    weights = file
    config = file.config
    self.arithmetic = arithmetic
    let ratio = config.projector.downsampleRatio
    let hidden = config.language.hiddenSize
    side = ImageTokens(file.config.processor).tileRows
    layers = try (0..<config.projector.depth).map { [config] i in
      let name = "projector.layers.\(2 * i)"
      let inputs = i == 0 ? config.vision.width * ratio * ratio : hidden
      return Linear(
        try file.matrix(name + ".weight", rows: hidden, columns: inputs),
        bias: try file.plain(name + ".bias", count: hidden).baseAddress)
    }
    newline = try file.plain("image_newline", count: hidden)
    separator = try file.plain("view_seperator", count: hidden)  // the checkpoint spells it so
  }

  /// Projects tiles.
  ///
  /// - Parameters:
  ///   - patches: [tiles * grid * grid][width].
  ///   - out: [tiles * side * side][hidden], written.
  /// - Throws: `PackedFileError` where the weights cannot be read.
  package func project(
    _ patches: Rows, tiles: Int, into out: Rows, observer: StageObserver? = nil
  ) throws {
    try weights.use("projector")
    arithmetic.enter(.projector)
    defer { arithmetic.enter(.other) }
    let (grid, ratio, width) = (config.vision.grid, config.projector.downsampleRatio, config.vision.width)
    let columns = width * ratio * ratio
    let unfolded = Rows(self.unfolded.reserve(out.count * columns), count: out.count, columns: columns)
    let side = side
    // Channel-major, as PyTorch's unfold: out channel = c * ratio^2 + dy * ratio + dx; places past the grid
    // are zero.
    arithmetic.forEachRowRange(out.count) { range in
      for row in range {
        let (tile, place) = row.quotientAndRemainder(dividingBy: side * side)
        let target = unfolded[row]
        for dy in 0..<ratio {
          for dx in 0..<ratio {
            let (y, x) = (place / side * ratio + dy, place % side * ratio + dx)
            let first = dy * ratio + dx
            if y < grid && x < grid {
              let source = patches[tile * grid * grid + y * grid + x]
              for c in 0..<width { target[c * ratio * ratio + first] = source[c] }
            } else {
              for c in 0..<width { target[c * ratio * ratio + first] = 0 }
            }
          }
        }
      }
    }
    let kernels = vl2_kernels_active().pointee
    var input = unfolded
    for (i, layer) in layers.enumerated() {
      let last = i == layers.count - 1
      // Layers in between alternate between two halves, so that none reads where it writes.
      let half = out.count * layer.outputs
      let output =
        last
        ? out
        : Rows(
          inner.reserve(2 * half, of: Float.self) + i % 2 * half, count: out.count, columns: layer.outputs)
      arithmetic.multiply(layer, arithmetic.prepare(input, for: layer), count: out.count, into: output)
      if !last {
        arithmetic.forEachRowRange(out.count) { range in
          kernels.gelu_erf(output[range.lowerBound], range.count * output.columns)
        }
      }
      input = output
    }
    observer?.observe("projector.out", out)
  }

  /// Lays out one picture's projected tiles, each line ended by the newline row.
  ///
  /// - Parameters:
  ///   - features: [1 + rows * columns][side * side][hidden]: tile 0 is the global view.
  ///   - out: [ImageTokens.count(grid)][hidden], written: the global view, a separator, the local tiles; the
  ///     local tiles come first where the config says so.
  package func arrange(_ features: Rows, grid: TileGrid, into out: Rows) {
    let layout = layout(grid)
    copy(separator, to: out[layout.separator])
    arrangeLines(features, firstTile: 0, grid: TileGrid(columns: 1, rows: 1), into: out.slice(layout.global))
    arrangeLines(features, firstTile: 1, grid: grid, into: out.slice(layout.local))
  }

  /// Takes one tile's rows out of a picture that `arrange` laid out.
  ///
  /// - Parameters:
  ///   - tile: 0 for the global view.
  ///   - out: [side * side][hidden], written.
  package func take(_ tile: Int, of arranged: Rows, grid: TileGrid, into out: Rows) {
    let layout = layout(grid)
    let columns = tile == 0 ? 1 : grid.columns
    let (row, column) = tile == 0 ? (0, 0) : (tile - 1).quotientAndRemainder(dividingBy: columns)
    let first = tile == 0 ? layout.global.lowerBound : layout.local.lowerBound
    for y in 0..<side {
      let line = first + (row * side + y) * (columns * side + 1) + column * side
      for x in 0..<side { out[y * side + x].update(from: arranged[line + x], count: out.columns) }
    }
  }

  /// Where the parts of a picture lie among its rows.
  private func layout(_ grid: TileGrid) -> (global: Range<Int>, separator: Int, local: Range<Int>) {
    let globalRows = side * (side + 1)
    let localRows = grid.rows * side * (grid.columns * side + 1)
    return config.projector.globalViewFirst
      ? (0..<globalRows, globalRows, globalRows + 1..<globalRows + 1 + localRows)
      : (localRows + 1..<localRows + 1 + globalRows, localRows, 0..<localRows)
  }

  private func arrangeLines(_ features: Rows, firstTile: Int, grid: TileGrid, into out: Rows) {
    var next = 0
    for y in 0..<grid.rows * side {
      for x in 0..<grid.columns * side {
        let tile = firstTile + y / side * grid.columns + x / side
        let source = features[tile * side * side + y % side * side + x % side]
        out[next].update(from: source, count: out.columns)
        next += 1
      }
      copy(newline, to: out[next])
      next += 1
    }
  }

  private func copy(_ row: UnsafeBufferPointer<Float>, to out: UnsafeMutablePointer<Float>) {
    out.update(from: row.baseAddress!, count: row.count)
  }

  /// Frees the scratch that projecting needed.
  package func releaseScratch() {
    unfolded.release()
    inner.release()
  }
}

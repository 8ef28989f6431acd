import VL2Quant

/// A picture as the vision tower sees it: a global view and local tiles, squares of the same size.
///
/// Source: deepseek-ai/DeepSeek-VL2, `processing_deepseek_vl_v2.py`, `tokenize_with_images`.
package struct TiledPicture: Sendable {
  /// The local tiles.
  package let grid: TileGrid
  /// Side of a tile in pixels.
  package let side: Int
  /// [1 + rows * columns][side][side][3]. Tile 0 is the global view; the local tiles follow row by row.
  package let tiles: [UInt8]
  /// Whether the only local tile equals tile 0, so that one encoding serves for both.
  package let globalEqualsLocal: Bool

  /// Cuts a picture into the tiles of a plan.
  package init(_ picture: Picture, grid: TileGrid, processor: ProcessorConfig) {
    let side = processor.tileSide
    self.init(
      picture, side: side, canvas: .init(width: grid.columns * side, height: grid.rows * side),
      mean: processor.imageMean)
  }

  /// Cuts a picture into tiles, given only what is needed of a config: canvas sizes, all multiples of the
  /// first, which is one square tile, and the mean of each channel, which gives the padding's colour.
  package init(_ picture: Picture, candidates: [ProcessorConfig.Size], mean: [Float]) {
    let canvas = TiledPicture.canvas(width: picture.width, height: picture.height, among: candidates)
    self.init(picture, side: candidates[0].width, canvas: canvas, mean: mean)
  }

  private init(_ picture: Picture, side: Int, canvas: ProcessorConfig.Size, mean: [Float]) {
    let grey = mean.map(level)
    let global = picture.padded(width: side, height: side, color: grey)
    grid = TileGrid(columns: canvas.width / side, rows: canvas.height / side)
    self.side = side
    globalEqualsLocal = canvas.width == side && canvas.height == side
    if globalEqualsLocal {
      tiles = global.pixels + global.pixels
      return
    }

    let local = picture.padded(width: canvas.width, height: canvas.height, color: grey).pixels
    var tiles = global.pixels
    tiles.reserveCapacity((1 + grid.rows * grid.columns) * side * side * 3)
    for row in 0..<grid.rows {
      for column in 0..<grid.columns {
        for y in row * side..<(row + 1) * side {
          let start = (y * canvas.width + column * side) * 3
          tiles.append(contentsOf: local[start..<start + side * 3])
        }
      }
    }
    self.tiles = tiles
  }

  /// The bytes of some of the tiles, [count][side][side][3].
  package func pixels(of some: [Int]) -> [UInt8] {
    let bytes = side * side * 3
    // All of them, or the first, lie there as they are wanted.
    if some.elementsEqual(0..<some.count) { return tiles }
    return some.flatMap { tiles[$0 * bytes..<($0 + 1) * bytes] }
  }

  /// The sizes of canvases that give a picture at most so many tiles.
  static func candidates(_ all: [ProcessorConfig.Size], mostTiles: Int) -> [ProcessorConfig.Size] {
    let area = all[0].width * all[0].height
    // Besides the local tiles there is the global view; a canvas of one tile is that view.
    return all.filter { $0 == all[0] || 1 + $0.width * $0.height / area <= mostTiles }
  }

  /// The canvas that keeps most of a picture's pixels; among equals the one with the least padding.
  ///
  /// Source: `select_best_resolution` in the published processor.
  package static func canvas(
    width: Int, height: Int, among candidates: [ProcessorConfig.Size]
  ) -> ProcessorConfig.Size {
    var best = candidates[0]
    var mostKept = 0
    var leastWasted = Int.max
    for candidate in candidates {
      let scale = min(
        Double(candidate.width) / Double(width), Double(candidate.height) / Double(height))
      let kept = min(Int(Double(width) * scale) * Int(Double(height) * scale), width * height)
      let wasted = candidate.width * candidate.height - kept
      if kept > mostKept || (kept == mostKept && wasted < leastWasted) {
        best = candidate
        mostKept = kept
        leastWasted = wasted
      }
    }
    return best
  }
}

/// A mean of 0...1 as a pixel value, rounded down as the published processor does.
private func level(_ mean: Float) -> UInt8 {
  let value = Double(mean) * 255
  return value >= 255 ? 255 : value > 0 ? UInt8(value) : 0
}

extension Picture {
  /// The largest size with the picture's proportions inside a canvas. A side may come out as zero.
  ///
  /// Source: Pillow 13, `ImageOps.contain`.
  private func contained(width canvasWidth: Int, height canvasHeight: Int) -> (width: Int, height: Int) {
    let ratio = Double(width) / Double(height)
    let canvasRatio = Double(canvasWidth) / Double(canvasHeight)
    if ratio > canvasRatio {
      let newHeight = Double(height) / Double(width) * Double(canvasWidth)
      return (canvasWidth, Int(newHeight.rounded(.toNearestOrEven)))
    }
    if ratio < canvasRatio {
      let newWidth = Double(width) / Double(height) * Double(canvasHeight)
      return (Int(newWidth.rounded(.toNearestOrEven)), canvasHeight)
    }
    return (canvasWidth, canvasHeight)
  }

  /// The picture fitted into a canvas and centred on `color`.
  ///
  /// A picture that is too long for its width vanishes: the canvas is then empty, as in the reference.
  ///
  /// Source: Pillow 13, `ImageOps.pad`.
  func padded(width canvasWidth: Int, height canvasHeight: Int, color: [UInt8]) -> Picture {
    let size = contained(width: canvasWidth, height: canvasHeight)
    if size.width == canvasWidth && size.height == canvasHeight {
      return resized(width: canvasWidth, height: canvasHeight)
    }
    let emptyRow = (0..<canvasWidth * 3).map { color[$0 % 3] }
    var canvas: [UInt8] = []
    canvas.reserveCapacity(canvasHeight * emptyRow.count)
    for _ in 0..<canvasHeight { canvas.append(contentsOf: emptyRow) }
    if size.width > 0 && size.height > 0 {
      let fitted = resized(width: size.width, height: size.height)
      let x = Int((Double(canvasWidth - size.width) * 0.5).rounded(.toNearestOrEven))
      let y = Int((Double(canvasHeight - size.height) * 0.5).rounded(.toNearestOrEven))
      for row in 0..<size.height {
        let to = ((y + row) * canvasWidth + x) * 3
        let from = row * size.width * 3
        canvas.replaceSubrange(
          to..<to + size.width * 3, with: fitted.pixels[from..<from + size.width * 3])
      }
    }
    return Picture(width: canvasWidth, height: canvasHeight, pixels: canvas)
  }
}

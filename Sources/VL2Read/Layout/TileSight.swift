import VL2Frames
import VL2Quant
import VL2Run

/// How large a model sees things: a picture is fitted into a canvas of a few tiles.
package struct TileSight: Sendable {
  /// Sizes of canvases, the first of which is one tile.
  private let candidates: [ProcessorConfig.Size]

  /// - Parameter mostTiles: of a picture; nil for as many as there are.
  package init(_ processor: ProcessorConfig, mostTiles: Int? = nil) {
    self.init(processor.candidateResolutions, mostTiles: mostTiles)
  }

  package init(_ all: [ProcessorConfig.Size], mostTiles: Int? = nil) {
    let area = max(1, all[0].width * all[0].height)
    candidates = all.filter { size in
      size == all[0] || mostTiles.map { 1 + size.width * size.height / area <= $0 } ?? true
    }
  }

  /// By what a picture of this size is made larger or smaller.
  package func scale(width: Int, height: Int) -> Double {
    let canvas = TiledPicture.canvas(width: max(1, width), height: max(1, height), among: candidates)
    return min(Double(canvas.width) / Double(max(1, width)), Double(canvas.height) / Double(max(1, height)))
  }

  /// The most rows of a band of this block in which its lines are still large enough to be read: the fewest bands that do, or,
  /// where none do, those that show the lines largest.
  package func bandHeight(_ block: FrameRegion, lineHeight: Int, lineCount: Int) -> Int {
    var (best, largest) = (block.height, 0.0)
    for count in 1...max(1, min(lineCount, 60)) {
      let height = (block.height + count - 1) / count
      let seen = scale(width: block.width, height: height) * Double(lineHeight)
      if seen > 1.05 * largest { (best, largest) = (height, seen) }
      if seen >= Self.leastLine { return height }
    }
    return best
  }

  /// Pixels of a line, from the top of its tallest letter to the bottom of its lowest, that are enough to read it.
  static let leastLine = 14.0
}

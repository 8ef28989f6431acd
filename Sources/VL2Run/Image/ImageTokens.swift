import VL2Quant

/// How many token places a picture takes.
package struct ImageTokens: Sendable {
  /// Rows, and columns, of one tile after the projector: `ceil((side / patch) / downsample)`.
  package let tileRows: Int

  /// All in pixels or patches, positive.
  package init(tileSide: Int, patchSize: Int, downsampleRatio: Int) {
    let patches = tileSide / patchSize
    tileRows = patches / downsampleRatio + (patches % downsampleRatio == 0 ? 0 : 1)
  }

  package init(_ processor: ProcessorConfig) {
    self.init(
      tileSide: processor.tileSide, patchSize: processor.patchSize, downsampleRatio: processor.downsampleRatio
    )
  }

  /// The places of a picture cut into `grid`: the global view with a newline after each of its rows, a
  /// separator, then the local tiles put together, also with a newline after each row. `Int.max` where the
  /// number is too large to count.
  package func count(_ grid: TileGrid) -> Int {
    let (height, tall) = grid.rows.multipliedReportingOverflow(by: tileRows)
    let (width, wide) = grid.columns.multipliedReportingOverflow(by: tileRows)
    let (line, long) = width.addingReportingOverflow(1)
    let (local, large) = height.multipliedReportingOverflow(by: line)
    let (sum, larger) = local.addingReportingOverflow(tileRows * (tileRows + 1) + 1)
    return tall || wide || long || large || larger ? .max : sum
  }
}

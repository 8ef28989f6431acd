/// A picture as rows of the language model.
package final class EncodedPicture {
  package let grid: TileGrid
  package let rows: Rows
  /// Bytes of the rows.
  package var byteCount: Int { rows.count * rows.columns * MemoryLayout<Float>.stride }
  private let buffer: AlignedBuffer

  init(grid: TileGrid, hidden: Int, rowCount: Int, ledger: ByteLedger, fill: (Rows) -> Void) {
    self.grid = grid
    buffer = AlignedBuffer(ledger: ledger)
    rows = Rows(buffer.reserve(rowCount * hidden), count: rowCount, columns: hidden)
    fill(rows)
  }
}

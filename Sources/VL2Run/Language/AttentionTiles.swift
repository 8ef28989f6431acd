/// Tiles of query rows of each head: enough work items for all threads, each with enough to do.
struct AttentionTiles {
  private static let rowsPerTile = 32

  private let rows: Int
  private let tilesPerHead: Int
  private let headsPerKeyValueHead: Int
  /// Tiles of all heads.
  let count: Int

  init(rows: Int, heads: Int, keyValueHeads: Int) {
    self.rows = rows
    tilesPerHead = (rows + Self.rowsPerTile - 1) / Self.rowsPerTile
    headsPerKeyValueHead = heads / keyValueHeads
    count = heads * tilesPerHead
  }

  subscript(item: Int) -> (head: Int, keyValueHead: Int, rows: Range<Int>) {
    let (head, tile) = item.quotientAndRemainder(dividingBy: tilesPerHead)
    let first = tile * Self.rowsPerTile
    return (head, head / headsPerKeyValueHead, first..<min(rows, first + Self.rowsPerTile))
  }
}

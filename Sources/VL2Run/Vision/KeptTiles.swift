import Glibc

/// A picture's tiles as they looked when each was encoded, and what that gave.
///
/// A tile that keeps the encoding of an earlier picture's also keeps the pixels that this was made from. So the encoding is
/// always that of these pixels, whatever came between, and small changes cannot add up unnoticed.
package final class KeptTiles {
  package let picture: EncodedPicture
  private let side: Int
  /// [encodedTiles][side][side][3]. Tile 0 is the whole view.
  private let pixels: UnsafeMutablePointer<UInt8>
  private let buffer: AlignedBuffer

  package var grid: TileGrid { picture.grid }

  /// Bytes of the pixels.
  package var byteCount: Int { grid.encodedTiles * tileBytes }
  private var tileBytes: Int { side * side * 3 }

  /// - Parameter share: how `encoded` was made of `tiled`.
  package init(_ tiled: TiledPicture, _ share: TileShare, _ encoded: EncodedPicture, ledger: ByteLedger) {
    picture = encoded
    side = tiled.side
    buffer = AlignedBuffer(ledger: ledger)
    let bytes = tiled.side * tiled.side * 3
    pixels = buffer.reserve(tiled.grid.encodedTiles * bytes)
    tiled.tiles.withUnsafeBufferPointer { tiles in
      guard let tiles = tiles.baseAddress else { return }
      for tile in 0..<tiled.grid.encodedTiles {
        let isNew = share.changed.contains(tile)
        let source = isNew ? tiles + tile * bytes : share.earlier.map { $0[tile] } ?? tiles + tile * bytes
        (pixels + tile * bytes).update(from: source, count: bytes)
      }
    }
  }

  fileprivate subscript(tile: Int) -> UnsafePointer<UInt8> { UnsafePointer(pixels + tile * tileBytes) }

  /// Whether a tile of a picture with the same grid looks as it did.
  fileprivate func isUnchanged(_ tile: Int, of tiled: TiledPicture, _ reuse: TileReuse) -> Bool {
    tiled.tiles.withUnsafeBufferPointer { tiles in
      guard let now = tiles.baseAddress.map({ $0 + tile * tileBytes }) else { return false }
      if memcmp(self[tile], now, tileBytes) == 0 { return true }
      // The whole view shows all that has changed.
      guard let most = reuse.largestChange, tile > 0 else { return false }
      return TileChange.largest(from: self[tile], to: now, side: side) <= most
    }
  }

  fileprivate func fits(_ tiled: TiledPicture) -> Bool { grid == tiled.grid && side == tiled.side }
}

/// Which tiles of a picture are encoded; the others keep what an earlier picture's gave.
package struct TileShare {
  package let earlier: KeptTiles?
  /// Tiles to encode, from the first on.
  package let changed: [Int]
  /// How many keep their encoding.
  package let kept: Int

  /// - Parameter earlier: of a picture before, with the same grid.
  package init(_ tiled: TiledPicture, after earlier: KeptTiles? = nil, reuse: TileReuse = .off) {
    let all = 0..<tiled.grid.encodedTiles
    guard let earlier, reuse != .off, earlier.fits(tiled) else {
      (self.earlier, changed, kept) = (nil, Array(all), 0)
      return
    }
    changed = all.filter { !earlier.isUnchanged($0, of: tiled, reuse) }
    kept = all.count - changed.count
    self.earlier = kept > 0 ? earlier : nil
  }
}

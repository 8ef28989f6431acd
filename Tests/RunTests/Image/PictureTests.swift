import TestSupport
import Testing
import VL2Run

struct PictureTests {
  @Test func everyKindOfFileDecodesAsPillowDecodesIt() throws {
    try decodesAsPillow { !$0.hasSuffix(".webp") }
  }

  /// Of installations without libwebp, WebPTests says what happens.
  @Test(.enabled(if: isWebPInstalled, "Debian package libwebp7 is not installed"))
  func everyKindOfWebPDecodesAsPillowDecodesIt() throws {
    try decodesAsPillow { $0.hasSuffix(".webp") }
  }

  private func decodesAsPillow(_ isMeant: (String) -> Bool) throws {
    let expected = try PictureExpectations.load().pictures.filter { isMeant($0.file) }
    #expect(expected.count > 30)
    for item in expected {
      let picture = try Picture(contentsOf: Fixtures.path("pictures/" + item.file))
      #expect(picture.width == item.width && picture.height == item.height, "\(item.file)")
      #expect(sha256(picture.pixels) == item.sha256, "\(item.file)")
      let tiled = TiledPicture(
        picture, candidates: publishedCandidates(), mean: [0.5, 0.5, 0.5])
      #expect(tiled.grid == TileGrid(columns: item.columns, rows: item.rows), "\(item.file)")
      #expect(sha256(tiled.tiles) == item.tiles, "\(item.file)")
    }
  }
}

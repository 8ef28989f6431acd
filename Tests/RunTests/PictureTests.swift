import Foundation
import TestSupport
import Testing
import VL2Quant
import VL2Run

struct PictureTests {
  @Test func everyKindOfFileDecodesAsPillowDecodesIt() throws {
    let expected = try PictureExpectations.load().pictures
    #expect(expected.count > 100)
    for item in expected {
      let picture = try Picture(contentsOf: Fixtures.path("pictures/" + item.file))
      #expect(picture.width == item.width && picture.height == item.height, "\(item.file)")
      #expect(sha256(picture.pixels) == item.sha256, "\(item.file)")
      let tiled = TiledPicture(
        picture, candidates: publishedCandidates(), mean: [0.5, 0.5, 0.5], cropping: true)
      #expect(tiled.grid == TileGrid(columns: item.columns, rows: item.rows), "\(item.file)")
      #expect(sha256(tiled.tiles) == item.tiles, "\(item.file)")
    }
  }
}

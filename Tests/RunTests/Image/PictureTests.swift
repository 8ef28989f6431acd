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
      let picture = try Picture(
        contentsOf: Fixtures.path("pictures/" + item.file), background: .dropped)
      #expect(picture.width == item.width && picture.height == item.height, "\(item.file)")
      #expect(sha256(picture.pixels) == item.sha256, "\(item.file)")
      let tiled = TiledPicture(
        picture, candidates: publishedCandidates(), mean: [0.5, 0.5, 0.5])
      #expect(tiled.grid == TileGrid(columns: item.columns, rows: item.rows), "\(item.file)")
      #expect(sha256(tiled.tiles) == item.tiles, "\(item.file)")
    }
  }

  @Test func transparentPicturesAreLaidOnABackground() throws {
    try areLaidOnABackground { !$0.hasSuffix(".webp") }
  }

  @Test(.enabled(if: isWebPInstalled, "Debian package libwebp7 is not installed"))
  func transparentWebPIsLaidOnABackground() throws {
    try areLaidOnABackground { $0.hasSuffix(".webp") }
  }

  private func areLaidOnABackground(_ isMeant: (String) -> Bool) throws {
    var colors = 0
    for item in try PictureExpectations.load().pictures where isMeant(item.file) {
      let path = Fixtures.path("pictures/" + item.file)
      guard let expected = item.on else {
        // Nothing shows through.
        let dropped = try Picture(contentsOf: path, background: .dropped)
        #expect(try Picture(contentsOf: path, background: .black) == dropped, "\(item.file)")
        continue
      }
      for (color, digest) in expected {
        let background = try #require(Background(color))
        let picture = try Picture(contentsOf: path, background: background)
        #expect(sha256(picture.pixels) == digest, "\(item.file) on \(color)")
        colors += 1
      }
      #expect(try sha256(Picture(contentsOf: path).pixels) == expected["ffffff"], "\(item.file)")
    }
    #expect(colors >= 9)
  }

  /// Black shapes on a clear ground are seen, unless transparency is dropped.
  @Test func blackOnClear() throws {
    let path = Fixtures.path("pictures/black-on-clear.png")
    let picture = try Picture(contentsOf: path)
    #expect(Set(picture.pixels).isSuperset(of: [0, 255]))
    #expect(try Set(Picture(contentsOf: path, background: .dropped).pixels) == [0])
  }

  @Test func backgroundsByName() {
    #expect(Background("white") == .white && Background("FFFFFF") == .white && Background("ffffff") == .white)
    #expect(Background("black") == .black && Background("000000") == .black)
    #expect(Background("none") == .dropped && Background("ffcc00") != .white)
    for text in ["", "White", "fff", "#ffffff", "ffff0", "fffffg", "+fffff", "ffffff0", "1２3456"] {
      #expect(Background(text) == nil, "\(text)")
    }
  }
}

import Foundation
import TestSupport
import Testing
import VL2Run

/// Labels in letters that need a font. The font is made here, so that no machine needs one for the tests; FreeType it
/// needs, as `make test` sees to.
@Suite struct SystemFontsTests {
  /// A TrueType font with one character: a block as wide as its em and four fifths as high.
  static func font(of scalar: Unicode.Scalar) -> [UInt8] {
    func words(_ values: Int...) -> [UInt8] {
      values.flatMap { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    }
    func longs(_ values: Int...) -> [UInt8] { values.flatMap { words($0 >> 16, $0) } }
    // One contour of four points, each on the curve.
    let glyph =
      words(1, 0, 0, 1000, 800, 3, 0) + [1, 1, 1, 1] + words(0, 1000, 0, -1000, 0, 0, 800, 0) + words(0)
    let code = Int(scalar.value)
    let tables: [(String, [UInt8])] = [
      ("cmap", words(0, 1, 3, 10) + longs(12) + words(12, 0) + longs(28, 0, 1, code, code, 1)),
      ("glyf", glyph),
      (
        "head",
        longs(0x10000, 0x10000, 0, 0x5F0F_3CF5) + words(0, 1000) + longs(0, 0, 0, 0)
          + words(0, 0, 1000, 800, 0, 8, 2, 1, 0)
      ),
      ("hhea", longs(0x10000) + words(800, -200, 0, 1000, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2)),
      ("hmtx", words(1000, 0, 1000, 0)), ("loca", longs(0, 0, glyph.count)),
      ("maxp", longs(0x10000) + words(2, 4, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)),
    ]
    var head = longs(0x10000) + words(tables.count, 64, 2, 48)
    var body: [UInt8] = []
    for (name, bytes) in tables {
      head += Array(name.utf8) + longs(0, 12 + 16 * tables.count + body.count, bytes.count)
      body += bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }
    return head + body
  }

  private func withFonts(_ scalars: [Unicode.Scalar], _ body: (SystemFonts) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for (index, scalar) in scalars.enumerated() {
        try write(["/fonts/\(index)/x": ""], below: folder)
        try write(Self.font(of: scalar), to: "\(folder)/fonts/\(index)/Test.ttf")
      }
      // What is no font is passed over.
      try write(
        ["/fonts/broken.otf": "no font", "/fonts/empty.ttc": "", "/fonts/notes.txt": ""], below: folder)
      try body(try #require(SystemFonts(folders: [folder + "/none", folder + "/fonts"])))
    }
  }

  private let grey = Picture(width: 300, height: 300, pixels: [UInt8](repeating: 128, count: 270_000))

  private func span(_ label: String) -> GroundedSpan {
    GroundedSpan(label: label, boxes: [.init(x1: 100, y1: 500, x2: 900, y2: 900)])
  }

  private func pixel(_ picture: Picture, _ x: Int, _ y: Int) -> [UInt8] {
    Array(picture.pixels[3 * (y * picture.width + x)..<3 * (y * picture.width + x) + 3])
  }

  /// Each character from the font that has it.
  @Test func letters() throws {
    try withFonts(["犬", "ñ"]) { fonts in
      let (strip, missing) = fonts.strip("犬ñ", size: 20, mostWidth: 300)
      #expect(strip.width == 40 && strip.height == 25 && missing.isEmpty)
      // On the line that letters stand on, four fifths of the em high.
      for y in 0..<25 {
        for x in 0..<40 {
          #expect(strip.coverage[y * 40 + x] == ((4..<20).contains(y) ? 255 : 0), "\(x) \(y)")
        }
      }
      let (cut, _) = fonts.strip("犬犬犬犬犬", size: 20, mostWidth: 50)
      #expect(cut.width == 50)
      #expect(fonts.strip("犬\u{FE0F}", size: 20, mostWidth: 300).strip.width == 20)
    }
  }

  @Test func whatNoFontHas() throws {
    try withFonts(["犬"]) { fonts in
      let (strip, missing) = fonts.strip("猫犬猫", size: 16, mostWidth: 300)
      #expect(missing == ["猫", "猫"] && strip.width == 16 + 2 * 12)
      // A frame, empty inside.
      #expect(strip.coverage.contains(255) && strip.coverage[10 * strip.width + 4] == 0)
      let drawn = grey.drawn([span("猫犬"), span("ж"), span("ქ"), span("猫")]) { fonts }
      let note = try #require(drawn.missing.note)
      #expect(
        note
          == "drawn as empty frames: 猫 ж ქ; no font here has them: install fonts-dejavu-core, fonts-noto-cjk (or the smaller fonts-wqy-zenhei), fonts-noto-core"
      )
    }
  }

  /// On the picture: the plate of the label, the letter's block in black or white on it.
  @Test func labels() throws {
    try withFonts(["犬"]) { fonts in
      let drawn = grey.drawn([span("犬")]) { fonts }
      #expect(drawn.missing.note == nil)
      // The box begins at (30, 150); letters have an em of 14, which is 17 high with what hangs below, and a margin of 1.
      #expect(pixel(drawn.picture, 30, 149) == pixel(drawn.picture, 30, 200))
      #expect(pixel(drawn.picture, 37, 138) == [255, 255, 255])
      #expect(pixel(drawn.picture, 37, 128) == [128, 128, 128])
      #expect(grey.drawn([span("犬")]) { fonts }.picture == drawn.picture)
    }
  }

  /// Our own letters stay what they are, wherever fonts are.
  @Test func plainLabelsNeedNoFont() throws {
    let drawn = grey.drawn([span("a dog")]) {
      Issue.record("fonts were opened")
      return nil
    }
    #expect(drawn.missing.note == nil && drawn.picture == grey.drawing([span("a dog")]))
  }

  @Test func withoutFreeType() throws {
    #expect(SystemFonts(library: "libno-such-thing.so.6", folders: []) == nil)
    let drawn = grey.drawn([span("犬 b")]) { nil }
    #expect(
      drawn.missing.note
        == "drawn as empty frames: 犬; libfreetype.so.6 is not installed: install libfreetype6, and for these letters fonts-noto-cjk (or the smaller fonts-wqy-zenhei)"
    )
    #expect(drawn.picture != grey)
  }
}

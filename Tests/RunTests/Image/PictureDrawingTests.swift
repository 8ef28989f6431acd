import TestSupport
import Testing
import VL2Base
import VL2Run

/// What pictures are drawn on with, and written as.
@Suite struct PictureDrawingTests {
  @Test func glyphsDiffer() {
    let glyphs = (32..<127).compactMap { Unicode.Scalar($0).map { GlyphTable.glyph($0) } }
    #expect(Set(glyphs).count == 95)
    #expect(glyphs.allSatisfy { $0.count == GlyphTable.width * GlyphTable.height })
    #expect(GlyphTable.glyph("貓") == GlyphTable.glyph("é"))
  }

  @Test func pngReadsBack() throws {
    let picture = try Picture(contentsOf: Fixtures.path("golden/images/wide.jpg"))
    let again = try Picture(data: try picture.pngData(name: "x.png"), name: "x.png")
    #expect(again == picture)
    try withTemporaryFolder { folder in
      try picture.writePNG(to: folder + "/x.png")
      #expect(try Picture(contentsOf: folder + "/x.png") == picture)
      #expect(throws: OutputError.self) { try picture.writePNG(to: folder + "/none/x.png") }
    }
  }
}

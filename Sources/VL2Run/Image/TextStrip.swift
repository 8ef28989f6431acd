/// A line of text as it is laid on a picture.
package struct TextStrip {
  package let width: Int
  package let height: Int
  /// How much of each pixel the letters cover, 0...255, [height][width].
  package private(set) var coverage: [UInt8]

  /// Nothing yet.
  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    coverage = [UInt8](repeating: 0, count: width * height)
  }

  /// Text in the letters of `GlyphTable`, `scale` times their size; what does not fit into `mostWidth` pixels is cut off.
  init(_ text: String, scale: Int, mostWidth: Int) {
    let scalars = text.unicodeScalars
    self.init(
      width: min(mostWidth, scalars.count * GlyphTable.advance * scale), height: GlyphTable.height * scale)
    for (place, scalar) in scalars.enumerated() where place * GlyphTable.advance * scale < width {
      draw(GlyphTable.glyph(scalar), x: place * GlyphTable.advance * scale, y: 0, scale: scale)
    }
  }

  /// The first columns alone.
  func prefix(_ columns: Int) -> TextStrip {
    var strip = TextStrip(width: min(width, columns), height: height)
    for y in 0..<height {
      for x in 0..<strip.width { strip.coverage[y * strip.width + x] = coverage[y * width + x] }
    }
    return strip
  }

  /// Draws a glyph of `GlyphTable`.
  mutating func draw(_ glyph: [Bool], x: Int, y: Int, scale: Int) {
    for (index, isSet) in glyph.enumerated() where isSet {
      let (row, column) = index.quotientAndRemainder(dividingBy: GlyphTable.width)
      for y in y + row * scale..<y + (row + 1) * scale {
        for x in x + column * scale..<x + (column + 1) * scale { cover(x, y, 255) }
      }
    }
  }

  /// Covers a pixel at least so much; outside nothing happens.
  mutating func cover(_ x: Int, _ y: Int, _ share: UInt8) {
    guard (0..<width).contains(x), (0..<height).contains(y) else { return }
    coverage[y * width + x] = max(coverage[y * width + x], share)
  }
}

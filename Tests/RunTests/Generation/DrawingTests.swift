import Testing
import VL2Run

@Suite struct DrawingTests {
  private func grey(_ width: Int, _ height: Int) -> Picture {
    Picture(width: width, height: height, pixels: [UInt8](repeating: 128, count: width * height * 3))
  }

  private func pixel(_ picture: Picture, _ x: Int, _ y: Int) -> [UInt8] {
    Array(picture.pixels[3 * (y * picture.width + x)..<3 * (y * picture.width + x) + 3])
  }

  private func span(_ label: String, _ x1: Int, _ y1: Int, _ x2: Int, _ y2: Int) -> GroundedSpan {
    GroundedSpan(label: label, boxes: [.init(x1: x1, y1: y1, x2: x2, y2: y2)])
  }

  @Test func boxAndLabel() {
    let drawn = grey(999, 999).drawing([span("Hi", 100, 200, 500, 600)])
    let color = pixel(drawn, 100, 400)
    #expect(color != [128, 128, 128])
    for (x, y) in [(100, 300), (499, 599), (300, 599), (499, 400), (104, 300)] {
      #expect(pixel(drawn, x, y) == color, "\(x), \(y)")
    }
    for (x, y) in [(99, 400), (300, 400), (500, 400), (105, 300)] {
      #expect(pixel(drawn, x, y) == [128, 128, 128], "\(x), \(y)")
    }
    // The label's plate ends where the box begins; its first letter's first stroke is white.
    #expect(pixel(drawn, 100, 199) == color)
    #expect(pixel(drawn, 104, 175) == [255, 255, 255])
  }

  /// Corners, edges and boxes without area, labels longer than the picture: something is seen, nothing crashes.
  @Test func edges() {
    for (width, height) in [(1, 1), (3, 200), (200, 3), (40, 30)] {
      for box in [
        (0, 0, 999, 999), (999, 999, 999, 999), (0, 0, 0, 0), (0, 999, 999, 999), (500, 500, 500, 500),
      ] {
        let plain = grey(width, height)
        let drawn = plain.drawing([
          span("a long label, ÄÖ貓", box.0, box.1, box.2, box.3), span("", 0, 0, 1, 1),
        ])
        #expect(drawn != plain)
        #expect(drawn.pixels.count == plain.pixels.count)
      }
    }
  }

  /// Labels of boxes in one place stand one below the other.
  @Test func labelsDoNotHideEachOther() {
    let two = grey(400, 400).drawing([span("aaaa", 100, 500, 900, 900), span("bbbb", 100, 500, 900, 900)])
    let first = grey(400, 400).drawing([span("aaaa", 100, 500, 900, 900)])
    // Where the first label's plate is, both agree.
    let top = 200 - 10
    for y in top..<200 {
      for x in 40..<65 { #expect(pixel(two, x, y) == pixel(first, x, y)) }
    }
    // Right below it is the second one's.
    #expect(pixel(two, 46, 204) != [128, 128, 128] && pixel(first, 46, 204) == [128, 128, 128])
  }

}

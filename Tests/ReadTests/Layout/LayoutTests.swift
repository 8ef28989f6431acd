import TestSupport
import Testing
import VL2Frames
import VL2Read
import VL2Run

@Suite struct LayoutTests {
  /// A page of lines of random heights and gaps.
  private func page(_ random: inout SplitMix64) -> (Picture, lines: [Range<Int>]) {
    var page = DrawnPage(width: 400, height: 900)
    var lines: [Range<Int>] = []
    var y = Int.random(in: 0..<60, using: &random)
    while true {
      let height = Int.random(in: 12..<30, using: &random)
      guard y + height < 880 else { break }
      page.line(lines.count, x: Int.random(in: 10..<100, using: &random), y: y, width: 240, height: height)
      lines.append(y..<y + height)
      y += height + Int.random(in: 5..<40, using: &random)
    }
    return (page.picture, lines)
  }

  private func whole(_ picture: Picture) -> FrameRegion {
    FrameRegion(left: 0, top: 0, width: picture.width, height: picture.height)
  }

  @Test func linesAreFound() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<20 {
      let (picture, lines) = page(&random)
      #expect(TextLines(rows: Ink(picture).rows(whole(picture)), top: 0).lines == lines)
    }
  }

  /// Bands cover a block without a gap and without an overlap, and no line is in two of them.
  @Test func bandsCutNoLine() {
    var random = SplitMix64(seed: 2)
    for round in 0..<60 {
      let (picture, lines) = page(&random)
      let most = Int.random(in: 40..<700, using: &random)
      let cutter = BandCutter(mostHeight: most, mostLines: round % 2 == 0 ? .max : 1 + round % 7)
      let bands = cutter.bands(whole(picture), Ink(picture))
      #expect(bands.flatMap(\.lines) == lines)
      #expect(bands.first?.region.top == 0 && bands.first?.seam == Band.Seam.none)
      var end = 0
      for band in bands {
        #expect(band.region.top == end && band.seam != .overlap)
        end += band.region.height
        #expect(band.lines.count == 1 || band.region.height <= most)
        #expect(band.lines.count <= cutter.mostLines)
        #expect(band.lines.allSatisfy { $0.lowerBound >= band.region.top && $0.upperBound <= end })
      }
      #expect(end == picture.height)
      // What is too much is divided in the same way.
      for band in bands where band.lines.count > 1 {
        let halves = BandCutter.halves(band) ?? []
        #expect(halves.count > 1 && halves.flatMap(\.lines) == band.lines)
        #expect(halves.map(\.region.height).reduce(0, +) == band.region.height)
        #expect(halves.allSatisfy { $0.lines.count < band.lines.count })
      }
    }
  }

  /// Where paper shows through, rather there.
  @Test func bandsPreferParagraphs() {
    var page = DrawnPage(width: 300, height: 500)
    for index in 0..<14 {
      page.line(index, x: 10, y: 10 + index * 30 + (index > 6 ? 30 : 0), width: 240, height: 20)
    }
    let picture = page.picture
    let bands = BandCutter(mostHeight: 280).bands(whole(picture), Ink(picture))
    #expect(bands.map(\.lines.count) == [7, 7] && bands.map(\.seam) == [.none, .paragraph])
  }

  /// Lines of a table and a dark edge hide no empty rows; a rule across is nothing that is read.
  @Test func rules() {
    var page = DrawnPage(width: 400, height: 600)
    for index in 0..<15 { page.line(index, x: 40, y: 20 + index * 36, width: 240, height: 20) }
    for x in [20, 300, 330] { page.fill(x..<x + 2, 0..<600) }
    // With lines across, as a table has them.
    for index in 0..<15 { page.fill(20..<332, 46 + index * 36..<48 + index * 36) }
    page.fill(390..<400, 0..<600, 0)
    let picture = page.picture
    let lines = TextLines(rows: Ink(picture).rows(whole(picture)), top: 0).lines
    for index in 0..<15 { #expect(lines.contains(20 + index * 36..<40 + index * 36), "\(lines)") }
  }

  /// White on black, grey on grey, colours as bright as their ground, light that falls off.
  @Test(arguments: 0..<4) func inks(kind: Int) {
    var page = DrawnPage(width: 400, height: 300)
    for index in 0..<6 { page.line(index, x: 60, y: 20 + index * 40, width: 240, height: 20) }
    for index in page.pixels.indices {
      let isInk = page.pixels[index] < 100
      let (x, channel) = (index / 3 % 400, index % 3)
      let value =
        switch kind {
        case 0: isInk ? 255 : 10
        case 1: isInk ? 120 : 170
        case 2: [isInk ? 150 : 60, isInk ? 90 : 135, 80][channel]
        default: (isInk ? 20 : 250) * (400 + x) / 800
        }
      page.pixels[index] = UInt8(value)
    }
    let picture = page.picture
    let lines = TextLines(rows: Ink(picture).rows(whole(picture)), top: 0).lines
    #expect(lines == (0..<6).map { 20 + $0 * 40..<40 + $0 * 40 })
  }

  /// Two columns below a title, whose lines do not stand on common ones; and a table, which is none.
  @Test func columns() {
    var page = DrawnPage(width: 900, height: 800)
    page.line(0, x: 50, y: 20, width: 800, height: 24)
    for index in 0..<12 { page.line(1 + index, x: 50, y: 80 + index * 40, width: 340, height: 20) }
    for index in 0..<12 { page.line(13 + index, x: 480, y: 95 + index * 40, width: 360, height: 20) }
    page.line(25, x: 50, y: 640, width: 800, height: 20)
    let ink = Ink(page.picture)
    let blocks = Columns.blocks(ink, in: whole(page.picture), .found)
    #expect(blocks.map { TextLines(rows: ink.rows($0), top: $0.top).lines.count } == [1, 12, 12, 1])
    #expect(blocks.map { $0.width == 900 } == [true, false, false, true])
    #expect(Columns.blocks(ink, in: whole(page.picture), .fixed(1)).count == 1)

    var table = DrawnPage(width: 900, height: 800)
    for index in 0..<12 {
      table.line(index, x: 50, y: 80 + index * 40, width: 120, height: 20)
      table.line(index, x: 500, y: 80 + index * 40, width: 90, height: 20)
    }
    #expect(Columns.blocks(Ink(table.picture), in: whole(table.picture), .found).count == 1)
    #expect(Columns.blocks(Ink(table.picture), in: whole(table.picture), .fixed(2)).count == 2)
  }

  @Test func blankPages() {
    #expect(Ink(DrawnPage(width: 300, height: 300).picture).content == nil)
    #expect(Ink(Picture(width: 1, height: 1, pixels: [0, 0, 0])).content == nil)
    var dusty = DrawnPage(width: 300, height: 300)
    dusty.fill(100..<101, 50..<51)
    #expect(Ink(dusty.picture).content == nil)
  }

  /// The paper around is left out, and some of it stays.
  @Test func margins() throws {
    var page = DrawnPage(width: 1000, height: 1000)
    page.line(5, x: 300, y: 400, width: 360, height: 40)
    let content = try #require(Ink(page.picture).content)
    #expect(content.left > 240 && content.left < 300 && content.top > 340 && content.top < 400)
    #expect(content.left + content.width > 645 && content.top + content.height > 440)
  }

  /// As large as need be, and no larger.
  @Test func bandHeights() {
    // As in the published models: up to nine tiles of 384 pixels.
    let sight = TileSight(
      (1...9).flatMap { rows in (1...9 / rows).map { .init(width: 384 * $0, height: 384 * rows) } })
    let page = FrameRegion(left: 0, top: 0, width: 1400, height: 2000)
    #expect(sight.bandHeight(page, lineHeight: 28, lineCount: 50) == 2000)
    let small = sight.bandHeight(page, lineHeight: 14, lineCount: 100)
    #expect(small < 1000 && sight.scale(width: 1400, height: small) * 14 >= 14)
    // Too small for anything: as large as it gets.
    let tiny = sight.bandHeight(page, lineHeight: 4, lineCount: 400)
    #expect(sight.scale(width: 1400, height: tiny) >= 1)
    #expect(sight.bandHeight(page, lineHeight: 0, lineCount: 0) == 2000)
  }
}

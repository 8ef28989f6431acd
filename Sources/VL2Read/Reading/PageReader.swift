import VL2Base
import VL2Frames
import VL2Run

/// Reads pages: as a whole where a model sees the lines large enough and the answer is not too long, else in bands.
package struct PageReader {
  package let request: PageRequest
  private let sight: TileSight
  /// Reads a picture, which shows a page or a part of one.
  private let ask: (Picture, _ isPart: Bool) async throws -> PartAnswer
  /// Is told what a reader of the result should know.
  private let note: (String) -> Void

  package init(
    _ request: PageRequest, sight: TileSight,
    ask: @escaping (Picture, _ isPart: Bool) async throws -> PartAnswer, note: @escaping (String) -> Void
  ) {
    self.request = request
    self.sight = sight
    self.ask = ask
    self.note = note
  }

  /// Reads a page.
  ///
  /// - Throws: what `ask` throws.
  package func read(_ picture: Picture) async throws -> PageContent {
    let page = request.turned(picture)
    let ink = Ink(page)
    guard let content = ink.content else {
      note("nothing is on it")
      return .blank
    }
    if request.schema != nil { return try await value(page, content, ink) }
    // Rows of tables go through all of a page.
    let columns = request.format == .csv ? .fixed(1) : request.columns
    let blocks = Columns.blocks(ink, in: content, columns).map { bands($0, ink) }
    let isWhole = blocks.count == 1 && blocks[0].count == 1
    var text = ""
    for (index, block) in blocks.enumerated() {
      for (place, band) in block.enumerated() {
        let part = try await read(band, page, isPart: !isWhole)
        let seam: Band.Seam = place == 0 ? (index == 0 ? .none : .paragraph) : band.seam
        join(part, to: &text, seam)
      }
    }
    return .text(text)
  }

  private func value(_ page: Picture, _ content: FrameRegion, _ ink: Ink) async throws -> PageContent {
    let lines = TextLines(rows: ink.rows(content), top: content.top)
    let seen = sight.scale(width: content.width, height: content.height) * Double(lines.usualHeight)
    if seen < TileSight.leastLine * 0.6 {
      note("its print is small for reading it at once, as a schema wants")
    }
    let answer = try await ask(part(page, content), false)
    let value = answer.value
    if case .value(_, isCut: true) = value {
      note("its answer was ended before it was complete; a higher --max-tokens may help")
    }
    return value
  }

  private func bands(_ block: FrameRegion, _ ink: Ink) -> [Band] {
    let lines = TextLines(rows: ink.rows(block), top: block.top)
    // A block without lines has nothing to be read.
    guard !lines.lines.isEmpty else { return [] }
    let height = sight.bandHeight(block, lineHeight: lines.usualHeight, lineCount: lines.lines.count)
    let bands = BandCutter(mostHeight: height, mostLines: request.mostLines ?? .max).bands(block, ink)
    if bands.contains(where: { $0.seam == .overlap }) {
      note("parts of it have no empty row to cut at, so they are read with an overlap")
    }
    return bands
  }

  /// Reads a band, in parts where its answer gets too long.
  private func read(_ band: Band, _ page: Picture, isPart: Bool) async throws -> String {
    let answer = try await ask(part(page, band.region), isPart)
    guard answer.isCut else { return AnswerText.cleaned(answer.text) }
    guard let halves = BandCutter.halves(band) else {
      note("an answer is cut short; a higher --max-tokens may help")
      return AnswerText.cleaned(answer.text)
    }
    if halves.contains(where: { $0.seam == .overlap }) {
      note("a part of it that has no empty row does not fit into one answer, so it is read with an overlap")
    }
    var text = ""
    for (index, half) in halves.enumerated() {
      join(try await read(half, page, isPart: true), to: &text, index == 0 ? .none : half.seam)
    }
    return text
  }

  private func join(_ part: String, to text: inout String, _ seam: Band.Seam) {
    if !LineJoin.add(part, to: &text, seam: seam) {
      note("two overlapping parts have no line in common; all of both is kept, so a line may be there twice")
    }
  }

  private func part(_ page: Picture, _ region: FrameRegion) -> Picture {
    region.width == page.width && region.height == page.height ? page : page.part(region) ?? page
  }
}

import TestSupport
import Testing
import VL2Frames
import VL2Read
import VL2Run

/// Whole pages against a reader that sees what is on a picture and nothing else.
@Suite struct PageReaderTests {
  private final class Notes {
    var lines: [String] = []
    var questions = 0
  }

  /// - Parameter most: lines that fit into an answer.
  private func read(
    _ picture: Picture, _ request: PageRequest, lineWidth: Int, lineHeight: Int, most: Int = .max,
    _ notes: Notes
  ) async throws -> [String] {
    let sight = TileSight(
      [384, 768, 1152].flatMap { width in [384, 768, 1152].map { .init(width: width, height: $0) } })
    let reader = PageReader(request, sight: sight) { part, _ in
      notes.questions += 1
      let lines = DrawnPage.read(part, width: lineWidth, height: lineHeight)
      return PartAnswer(text: lines.prefix(most).joined(separator: "\n"), isCut: lines.count > most)
    } note: {
      notes.lines.append($0)
    }
    guard case .text(let text) = try await reader.read(picture) else { return [] }
    return text.split(separator: "\n").map(String.init)
  }

  private func numbered(_ count: Int, from first: Int = 0) -> [String] {
    (first..<first + count).map { "line \($0)" }
  }

  private func singleColumn(_ count: Int, lineHeight: Int = 20, pitch: Int = 32) -> DrawnPage {
    var page = DrawnPage(width: 600, height: 40 + count * pitch)
    for index in 0..<count { page.line(index, x: 40, y: 20 + index * pitch, width: 480, height: lineHeight) }
    return page
  }

  /// However few lines fit into an answer or are read at once, all are there, once, in their order.
  @Test(arguments: [1, 2, 3, 7, 20, 59, 60, 100]) func everyLimit(most: Int) async throws {
    let page = singleColumn(60).picture
    let notes = Notes()
    var request = PageRequest(format: .text)
    #expect(
      try await read(page, request, lineWidth: 480, lineHeight: 20, most: most, notes) == numbered(60))
    request.mostLines = most
    let limited = Notes()
    #expect(try await read(page, request, lineWidth: 480, lineHeight: 20, limited) == numbered(60))
    #expect(notes.lines.isEmpty && limited.lines.isEmpty)
    #expect(limited.questions >= 60 / most)
  }

  /// Small print on a large page is read in bands without being told so.
  @Test func smallPrint() async throws {
    var page = DrawnPage(width: 1800, height: 2400)
    for index in 0..<100 { page.line(index, x: 100, y: 50 + index * 23, width: 1560, height: 15) }
    let notes = Notes()
    let request = PageRequest(format: .markdown)
    #expect(try await read(page.picture, request, lineWidth: 1560, lineHeight: 15, notes) == numbered(100))
    #expect(notes.questions > 1 && notes.lines.isEmpty)
  }

  @Test(arguments: [3, 100]) func columns(most: Int) async throws {
    var page = DrawnPage(width: 900, height: 900)
    for index in 0..<16 { page.line(index, x: 40, y: 40 + index * 50, width: 360, height: 20) }
    for index in 0..<16 { page.line(16 + index, x: 480, y: 61 + index * 50, width: 360, height: 20) }
    let notes = Notes()
    let request = PageRequest(format: .text)
    #expect(
      try await read(page.picture, request, lineWidth: 360, lineHeight: 20, most: most, notes) == numbered(32)
    )
    #expect(notes.lines.isEmpty)
  }

  @Test(arguments: 0..<4) func turned(quarters: Int) async throws {
    let upright = singleColumn(12).picture
    let turned = upright.turnedUpright(
      from: [.upright, .needsCounterClockwise, .turnedHalf, .needsClockwise][quarters])
    var request = PageRequest(format: .text)
    request.quarterTurns = quarters
    let notes = Notes()
    #expect(try await read(turned, request, lineWidth: 480, lineHeight: 20, notes) == numbered(12))
  }

  /// A page with ink in every row, as from a torn edge: it is read with an overlap, that is said, and the joins are right.
  @Test func withoutEmptyRows() async throws {
    var page = singleColumn(40)
    for y in 0..<page.height {
      // Far enough from upright that it is no rule.
      let x = 560 + (y / 8 % 2) * 8
      page.fill(x..<x + 6, y..<y + 1, 190)
    }
    let notes = Notes()
    let request = PageRequest(format: .text)
    let lines = try await read(page.picture, request, lineWidth: 480, lineHeight: 20, most: 14, notes)
    #expect(lines.filter { $0 != "?" } == numbered(40))
    #expect(notes.lines.contains { $0.contains("overlap") })
  }

  @Test func blank() async throws {
    let notes = Notes()
    let page = DrawnPage(width: 300, height: 300).picture
    #expect(try await read(page, PageRequest(format: .text), lineWidth: 1, lineHeight: 1, notes).isEmpty)
    #expect(notes.questions == 0 && notes.lines == ["nothing is on it"])
  }

  /// What does not fit and cannot be divided is kept as far as it goes, and that is said.
  @Test func cutShort() async throws {
    var page = DrawnPage(width: 300, height: 60)
    page.line(3, x: 20, y: 20, width: 240, height: 20)
    let notes = Notes()
    let reader = PageReader(PageRequest(format: .text), sight: TileSight([.init(width: 384, height: 384)])) {
      _, _ in
      PartAnswer(text: "line", isCut: true)
    } note: {
      notes.lines.append($0)
    }
    #expect(try await reader.read(page.picture) == .text("line"))
    #expect(notes.lines.count == 1 && notes.lines[0].contains("cut short"))
  }

  @Test func prompts() {
    for format in PageFormat.allCases {
      var request = PageRequest(format: format)
      #expect(request.prompt(isPart: true) != request.prompt(isPart: false))
      request.prompt = "Read the word."
      #expect(request.prompt(isPart: true) == "Read the word.")
    }
  }
}

import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Read
import VL2Run

/// One value of a whole document, from a model that sees the question and nothing else.
@Suite struct ValueReaderTests {
  private final class Seen {
    var questions: [Question] = []
    var notes: [String] = []
    var kept: [PageContent] = []
    var written: [String] = []
    var failures = 0
    var pagesRead = 0
  }

  private static let schema = Array(#"{"type": "object", "properties": {"total": {"type": "integer"}}}"#.utf8)

  /// A token is a word; a picture takes 50.
  private func reader(
    _ seen: Seen, context: Int = 400, answer: String = #"{"total": 3}"#, isCut: Bool = false,
    _ change: (inout PageRequest) -> Void = { _ in }
  ) throws -> ValueReader {
    var request = PageRequest(format: .json)
    request.schema = try JSONSchema(Self.schema, name: "schema.json")
    change(&request)
    return ValueReader(request, contextLength: context) { question in
      // Of a schema not every count is true: some of its text goes before the answer.
      if case .schema = question.form { Issue.record("the schema is counted") }
      let turn = question.turns[0]
      let tokens = turn.text.split(whereSeparator: \.isWhitespace).count + 50 * turn.pictures.count
      if tokens > context { throw PromptError.tooLong(tokens: tokens, limit: context) }
      return tokens
    } ask: { question in
      seen.questions.append(question)
      return PartAnswer(text: answer, isCut: isCut)
    }
  }

  private let picture = Picture(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6])

  @Test func question() async throws {
    let seen = Seen()
    let pages: [PageContent] = [.blank, .text("three apples"), .failed("torn"), .text("a <image> of 3 €")]
    var asked: [Int] = []
    let value = try await reader(seen).read(pages, from: 4) { page in
      asked.append(page)
      return picture
    }
    #expect(value == .value(["total": 3]))
    // The first page that has a text is shown.
    #expect(asked == [5] && seen.questions.count == 1)
    let question = seen.questions[0]
    #expect(question.turns.count == 1 && question.turns[0].pictures == [picture])
    #expect(
      question.turns[0].text == """

        This is the text of a document. The picture shows its page 5.

        Page 5:
        three apples

        Page 7:
        a <image> of 3 €

        Give what the document says as JSON.
        """)
    guard case .schema = question.form else {
      Issue.record("no schema")
      return
    }
  }

  /// Turned as pages are read, in as many tiles, with a question of one's own.
  @Test func settings() async throws {
    let seen = Seen()
    let reader = try reader(seen) {
      ($0.quarterTurns, $0.mostTiles, $0.prompt, $0.maxTokens) = (1, 2, "How much is it?", 77)
    }
    _ = try await reader.read([.text("a")], from: 1) { _ in picture }
    let question = try #require(seen.questions.first)
    #expect(question.turns[0].pictures[0].height == 2 && question.tileLimit == .tiles(2))
    #expect(question.turns[0].text.hasSuffix("\n\nHow much is it?") && question.maxTokens == 77)
  }

  /// The picture goes before the text does, and the text before the answer has no room.
  @Test func whatFits() async throws {
    for words in 0..<400 {
      let seen = Seen()
      let reader = try reader(seen)
      let pages = [PageContent.text(Array(repeating: "word", count: words).joined(separator: " "))]
      // A quarter is for the answer; the question itself has 16 words, and 6 more with a picture.
      let fits = words + 16 <= 300
      let obstacle = try await reader.obstacle(pages, from: 1)
      #expect((obstacle == nil) == fits, "\(words)")
      if fits {
        _ = try await reader.read(pages, from: 1) { _ in picture }
        #expect(seen.questions[0].turns[0].pictures.count == (words + 22 + 50 <= 300 ? 1 : 0), "\(words)")
      } else {
        #expect(obstacle?.contains("page 1 takes \(words + 16) tokens") == true, "\(obstacle ?? "")")
        #expect(obstacle?.contains("room for 300 of the context's 400") == true, "\(obstacle ?? "")")
      }
    }
    // Short answers leave more.
    let pages = [PageContent](repeating: .text(String(repeating: "word ", count: 180)), count: 2)
    #expect(try await reader(Seen()).obstacle(pages, from: 3)?.contains("pages 3-4 takes") == true)
    #expect(try await reader(Seen()) { $0.maxTokens = 10 }.obstacle(pages, from: 3) == nil)
  }

  @Test func nothingToAsk() async throws {
    let seen = Seen()
    let reader = try reader(seen)
    #expect(try await reader.read([.blank, .failed("x")], from: 1) { _ in picture } == .blank)
    #expect(
      try await reader.read([.failed("x")], from: 1) { _ in picture }
        == .failed("none of its pages could be read"))
    #expect(seen.questions.isEmpty)
  }

  /// Documents of one page each: pictures.
  @Test func documents() async throws {
    try await withPages(5) { documents in
      let whole = Seen()
      try await read(documents, whole)
      #expect(
        whole.written == [
          #"{"file":"0","pages":"1","data":{"total":3}}"#, #"{"file":"1","pages":"1","text":""}"#,
          #"{"file":"2","pages":"1","data":{"total":3}}"#,
          #"{"file":"3","pages":"1","not_read":[1],"error":"none of its pages could be read"}"#,
          #"{"file":"4","pages":"1","data":{"total":3}}"#,
        ])
      #expect(whole.failures == 1 && whole.pagesRead == 3 && whole.kept.count == 5)
      #expect(whole.questions.map { $0.turns[0].text.contains("line 0") } == [true, true, true])
      // From every place on, with and without a page that is kept: the same, and nothing is read again.
      for skipping in 0...5 {
        for isKept in skipping < 5 ? [false, true] : [false] {
          let rest = Seen()
          try await read(documents, rest, skipping: skipping, kept: isKept ? [whole.kept[skipping]] : [])
          #expect(rest.written == Array(whole.written[skipping...]), "\(skipping) \(isKept)")
          #expect(rest.kept == Array(whole.kept[(skipping + (isKept ? 1 : 0))...]), "\(skipping) \(isKept)")
        }
      }
    }
  }

  /// What was ended before it was complete is told, in the result too.
  @Test func cut() async throws {
    try await withPages(1) { documents in
      let seen = Seen()
      try await read(documents, seen, isCut: true)
      #expect(seen.written == [#"{"pages":"1","cut":true,"data":{"total":3}}"#])
      #expect(seen.notes.count == 1 && seen.notes[0].contains("ended before it was complete"))
      let broken = Seen()
      try await read(documents, broken, answer: #"{"total": "#, isCut: true)
      #expect(broken.failures == 1 && broken.written[0].contains(#""error":"the answer is no whole JSON"#))
    }
  }

  /// Pictures of pages: the second is blank, the fourth is no picture any more.
  private func withPages(_ count: Int, _ body: ([Document]) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/vl2-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var documents: [Document] = []
    for index in 0..<count {
      var page = DrawnPage(width: 300, height: 60)
      if index != 1 { page.line(0, x: 20, y: 20, width: 240, height: 20) }
      let (path, png) = ("\(folder)/\(index)", try page.picture.pngData(name: "a page"))
      try write(png, to: path)
      documents.append(try Document(path, pages: PageRange(), FilePrograms(seconds: 10)))
      if index == 3 { try write(png.prefix(40), to: path) }
    }
    try await body(documents)
  }

  private func read(
    _ documents: [Document], _ seen: Seen, skipping: Int = 0, kept: [PageContent] = [],
    answer: String = #"{"total": 3}"#, isCut: Bool = false
  ) async throws {
    let sight = TileSight([.init(width: 384, height: 384)])
    let reader = DocumentReader(documents, format: .json, background: .white, copiesText: false) { note in
      PageReader(PageRequest(format: .markdown), sight: sight) { part, _ in
        seen.pagesRead += 1
        let lines = DrawnPage.read(part, width: 240, height: 20)
        return PartAnswer(text: lines.joined(separator: "\n"), isCut: false)
      } note: {
        note($0)
      }
    } tell: { event in
      if case .note(let line) = event { seen.notes.append(line) }
    }
    let folder = String(documents[0].path.dropLast())
    try await reader.readValues(skipping: skipping, kept: kept) {
      try self.reader(seen, answer: answer, isCut: isCut)
    } keep: {
      seen.kept.append($0)
    } write: { document, isFailure in
      if isFailure { seen.failures += 1 }
      seen.written.append(String(document.replacing(folder, with: "").dropLast()))
    }
  }
}

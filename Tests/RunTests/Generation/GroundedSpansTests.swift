import TestSupport
import Testing
import VL2Run

@Suite struct GroundedSpansTests {
  private typealias Box = GroundedSpan.Box

  private func span(_ label: String, _ boxes: [Int]...) -> GroundedSpan {
    GroundedSpan(label: label, boxes: boxes.map { Box(x1: $0[0], y1: $0[1], x2: $0[2], y2: $0[3]) })
  }

  @Test func wholeSpans() {
    #expect(GroundedSpan.parse("nothing here").isEmpty)
    #expect(
      GroundedSpan.parse("<|ref|>the cat<|/ref|><|det|>[[1, 2, 30, 400]]<|/det|>")
        == [span("the cat", [1, 2, 30, 400])])
    #expect(
      GroundedSpan.parse(
        "A <|ref|> dog <|/ref|><|det|>[[0,0,999,999],[ 5 ,6\n,7, 8]]<|/det|> and "
          + "<|ref|>貓<|/ref|><|det|>[[1, 1, 1, 1]]<|/det|>.")
        == [span("dog", [0, 0, 999, 999], [5, 6, 7, 8]), span("貓", [1, 1, 1, 1])])
  }

  @Test(arguments: [
    // Runaway digits, missing and superfluous numbers, values beyond the grid, corners the wrong way round.
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], [470,]]<|/det|>", true),
    ("<|ref|>a<|/ref|><|det|>[[470,], [1, 2, 3, 4]]<|/det|>", true),
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], [1, 2, 3, 1000]]<|/det|>", true),
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], [1, 2, 3, 99999999999999999999999999]]<|/det|>", true),
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4, 5]]<|/det|>", true),
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], [-1, 2, 3, 4], [1.5, 2, 3, 4], [9, 2, 3, 4]]<|/det|>", true),
    // Lists too deep or too shallow, and ends that are missing.
    ("<|ref|>a<|/ref|><|det|>[[[[1, 2, 3, 4]]]]<|/det|>", true),
    ("<|ref|>a<|/ref|><|det|>[1, 2, 3, 4]", true),
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], [5, 6, 7", true),
    ("<|ref|>a<|det|>[[1, 2, 3, 4", false),
    ("<|ref|>a<|det|>[[1, 2, 3, 4]]<|ref|>", true),
    // More names than boxes, and names without whole boxes.
    ("<|ref|>b<|/ref|><|ref|>a<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|><|ref|>c<|/ref|>", true),
    ("<|ref|>b<|/ref|><|det|>[[]]<|/det|><|ref|>a<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>", true),
    ("<|ref|>a<|/ref|>[[1, 2, 3, 4]]", false),
    ("<|ref|>a<|/ref|><|det|><|/det|>[[1, 2, 3, 4]]", false),
    ("<|ref|>a<|/ref|><|det|>]]1, 2, 3, 4[[<|/det|>", false),
  ])
  func keepsWhatIsWhole(text: String, isThere: Bool) {
    #expect(GroundedSpan.parse(text) == (isThere ? [span("a", [1, 2, 3, 4])] : []))
  }

  @Test func boxesWithoutName() {
    let text = "<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|><|det|>[[5, 6, 7, 8]]<|/det|>"
    #expect(GroundedSpan.parse(text) == [span("a", [1, 2, 3, 4]), span("", [5, 6, 7, 8])])
  }

  @Test(arguments: [
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], [470,]]<|/det|>", ["[470,] does not hold four numbers"]),
    (
      "<|ref|>a<|/ref|><|det|>[[1, 2, 3, 1000]]<|/det|>",
      ["[1, 2, 3, 1000] holds a number over 999", "\"a\" has no boxes"]
    ),
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], [5, 6", ["[5, 6] does not end"]),
    (
      "<|ref|>b<|/ref|><|ref|>a<|/ref|><|det|>[[9, 2, 3, 4], [1, -2, 3, 4], [1, 2, 3, 4]]<|/det|>",
      [
        "\"b\" has no boxes", "[9, 2, 3, 4] has its corners the wrong way round",
        "[1, -2, 3, 4] holds something that is no whole number",
      ]
    ),
    ("<|det|>[[1, 2, 3, 4]]<|/det|>", ["boxes without a name"]),
    ("<|ref|>a<|/ref|><|det|>[[[1, 2, 3, 4]]]<|/det|>", []),
  ])
  func notes(text: String, notes: [String]) { #expect(Grounding(text).notes.map(\.description) == notes) }

  /// A long list of digits makes a short note of one line.
  @Test func longNote() {
    let text = "<|ref|>a<|/ref|><|det|>[[" + String(repeating: "12\n", count: 10_000) + "]]<|/det|>"
    let note = Grounding(text).notes[0].description
    #expect(note.count < 100 && !note.contains("\n"))
  }

  /// A span is there as soon as its end is.
  @Test func spansComeAsTheyEnd() {
    var reader = GroundedSpanReader()
    #expect(reader.append("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4]]<|/de").isEmpty)
    #expect(reader.append("t|> and <|re") == [span("a", [1, 2, 3, 4])])
    #expect(reader.append("f|>b<|/ref|><|det|>[[5, 6, 7, 8], [").isEmpty)
    #expect(reader.finish() == [span("b", [5, 6, 7, 8])])
    #expect(reader.notes.map(\.problem) == [.unfinished])
  }

  /// 100,000 damaged texts: each gives boxes on the grid only, what it gives reads back the same, and pieces cut
  /// anywhere, within characters too, give the same spans and notes.
  @Test func mutations() {
    var random = SplitMix64(seed: 3)
    let whole = Array(
      "One <|ref|>a dög<|/ref|><|det|>[[12, 0, 999, 407], [3, 4, 5, 6]]<|/det|><|ref|>b<|/ref|><|det|>[[7, 8, 9, 10]]<|/det|>"
        .utf8)
    let pieces = [
      "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "[", "]", ",", "9", "-", " ", "<", "\u{0}", "é",
    ]
    var kept = 0
    var noted = 0
    for _ in 0..<100_000 {
      var text = whole
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let place = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: text[place] = UInt8.random(in: 0...255, using: &random)
        case 1: text.remove(at: place)
        case 2:
          text.insert(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &random)].utf8, at: place)
        default: text.removeSubrange(place..<min(text.count, place + 9))
        }
        if text.isEmpty { text = whole }
      }
      var atOnce = GroundedSpanReader()
      let spans = atOnce.append(text) + atOnce.finish()
      var inPieces = GroundedSpanReader()
      var found: [GroundedSpan] = []
      var rest = text[...]
      while !rest.isEmpty {
        let count = Int.random(in: 1...min(rest.count, 12), using: &random)
        found += inPieces.append(rest.prefix(count))
        rest = rest.dropFirst(count)
      }
      found += inPieces.finish()
      kept += spans.count
      noted += atOnce.notes.count
      let areWhole = spans.allSatisfy { span in
        !span.boxes.isEmpty
          && span.boxes.allSatisfy {
            0 <= $0.x1 && $0.x1 <= $0.x2 && $0.x2 <= 999 && 0 <= $0.y1 && $0.y1 <= $0.y2 && $0.y2 <= 999
          }
      }
      if found != spans || inPieces.notes != atOnce.notes || !areWhole
        || GroundedSpan.parse(written(spans)) != spans
      {
        Issue.record("\(String(decoding: text, as: UTF8.self))")
      }
    }
    // Neither nearly all nor hardly any.
    #expect((75_000..<195_000).contains(kept), "\(kept)")
    #expect((50_000..<400_000).contains(noted), "\(noted)")
  }

  private func written(_ spans: [GroundedSpan]) -> String {
    spans.map { span in
      let boxes = span.boxes.map { "[\($0.x1), \($0.y1), \($0.x2), \($0.y2)]" }.joined(separator: ", ")
      return "<|ref|>\(span.label)<|/ref|><|det|>[\(boxes)]<|/det|>"
    }.joined(separator: " ")
  }

  @Test func overlap() {
    let box = Box(x1: 0, y1: 0, x2: 10, y2: 10)
    #expect(box.intersectionOverUnion(box) == 1)
    #expect(box.intersectionOverUnion(Box(x1: 0, y1: 0, x2: 10, y2: 5)) == 0.5)
    #expect(box.intersectionOverUnion(Box(x1: 5, y1: 0, x2: 15, y2: 10)) == 50.0 / 150)
    #expect(box.intersectionOverUnion(Box(x1: 10, y1: 0, x2: 20, y2: 10)) == 0)
    #expect(box.intersectionOverUnion(Box(x1: 50, y1: 50, x2: 60, y2: 60)) == 0)
    let point = Box(x1: 3, y1: 3, x2: 3, y2: 3)
    #expect(point.intersectionOverUnion(point) == 1)
    #expect(point.intersectionOverUnion(Box(x1: 4, y1: 4, x2: 4, y2: 4)) == 0)
  }

  @Test func pixels() {
    let box = Box(x1: 0, y1: 333, x2: 999, y2: 500)
    #expect(box.pixels(width: 4000, height: 999) == PixelBox(left: 0, top: 333, right: 4000, bottom: 500))
    #expect(box.pixels(width: 1, height: 1) == PixelBox(left: 0, top: 0, right: 1, bottom: 0))
  }
}

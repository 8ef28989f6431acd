import Foundation
import TestSupport
import Testing
import VL2Measure
import VL2Run

/// Answers to made-up tables score what the published code gives.
@Suite struct ScoringTests {
  /// The items of a table with these right answers, one row each.
  private func items(_ name: String, _ header: [String], _ rows: [[String]]) throws -> [BenchmarkItem] {
    try withTemporaryFolder { folder in
      let picture = try MadeTable.picture()
      let table = rows.enumerated().map { ["\($0)", picture, "Which?"] + $1 }
      let file = try MadeTable.open(
        MadeTable.text([["index", "image", "question"] + header] + table), as: name, in: folder)
      return try file.places.map { try file.item($0) }
    }
  }

  private func score(_ item: BenchmarkItem, _ answer: String) -> Double {
    item.score(answer, size: (100, 100))
  }

  /// Cases that VLMEvalKit's own functions have scored: Fixtures/yardsticks/make.py.
  @Test func asVLMEvalKit() throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("yardsticks/scores.json")))
    let cases = try #require(try JSONSerialization.jsonObject(with: data) as? [[Any]])
    #expect(cases.count > 350)
    let benchmarks = [
      "relaxed": "ChartQA", "consensus": "TextVQA", "similarity": "DocVQA", "exact": "OCRVQA",
      "recognition": "OCRBench", "choice": "AI2D",
    ]
    var (seen, answers, wanted): (Set<String>, [String: [String]], [String: [Double]]) = ([], [:], [:])
    var rows: [String: [[String]]] = [:]
    for one in cases {
      let rule = try #require(one[0] as? String)
      let right = try #require(one[2] as? [String])
      seen.insert(rule)
      answers[rule, default: []].append(try #require(one[1] as? String))
      wanted[rule, default: []].append(try #require(one[3] as? Double))
      let row =
        switch rule {
        case "choice": right
        case "recognition": [right[0], MadeTable.list(Array(right.dropFirst()))]
        default: [MadeTable.list(right)]
        }
      rows[rule, default: []].append(row)
    }
    #expect(seen == Set(benchmarks.keys))
    for (rule, benchmark) in benchmarks {
      let header =
        switch rule {
        case "choice": ["answer", "A", "B", "C", "D"]
        case "recognition": ["category", "answer"]
        default: ["answer"]
        }
      let items = try items(benchmark, header, try #require(rows[rule]))
      for (number, item) in items.enumerated() {
        let answer = try #require(answers[rule])[number]
        let goal = try #require(wanted[rule])[number]
        // Python adds tenths up in another order.
        #expect(
          abs(score(item, answer) - goal) < 1e-12,
          "\(rule): \(answer) for \(rows[rule]?[number] ?? []), not \(goal)")
      }
    }
  }

  /// A score of a whole table, to the digit, with its interval.
  @Test func consensusOfATable() throws {
    let rows = [
      Array(repeating: "two", count: 10), ["red"] + Array(repeating: "blue", count: 9),
      ["a", "b", "c", "d", "e", "f", "g", "h", "i", "1,000"],
      ["x", "y", "x", "y", "x", "y", "x", "y", "x", "x"],
    ].map { [MadeTable.list($0)] }
    let items = try items("TextVQA", ["answer"], rows)
    let answers = ["2", "Red.", "1000", "The y!"]
    let scores = zip(items, answers).map(score)
    #expect(scores.map { ($0 * 1e12).rounded() / 1e12 } == [1, 0.3, 0.3, 1])
    var all = BenchmarkScores(try #require(Yardstick.named("TextVQA")))
    for (item, score) in zip(items, scores) { all.add(item, score) }
    #expect(abs(all.overall.mean - 0.65) < 1e-12)
    let interval = all.overall.interval
    #expect(abs(interval.lowerBound - 0.3) < 1e-12 && abs(interval.upperBound - 1) < 1e-12)
    #expect(all.overall.interval == interval)
  }

  /// Of OCRBench the number of right answers counts, by category; of ChartQA the share, by split.
  @Test func groups() throws {
    let items = try items(
      "OCRBench", ["category", "answer"],
      [
        ["Digit String Recognition", "['12']"], ["Digit String Recognition", "['13']"],
        ["Doc-oriented VQA", "['red', 'blue']"],
      ])
    let yardstick = try #require(Yardstick.named("OCRBench"))
    #expect(yardstick.countsPoints && !yardstick.rule.isGraded)
    var scores = BenchmarkScores(yardstick)
    for (item, answer) in zip(items, ["It is 12.", "It is 12.", "Blue"]) {
      scores.add(item, score(item, answer))
    }
    #expect(scores.overall.sum == 2 && scores.overall.items == 3)
    #expect(
      scores.groups["category"]?.mapValues(\.sum) == ["Digit String Recognition": 1, "Doc-oriented VQA": 1])
    #expect(scores.groups.keys.sorted() == ["category"])
  }

  @Test func wilson() {
    // By the formula, computed in Python.
    for (right, of, low, high) in [
      (81, 100, 0.7222115, 0.8748525), (0, 10, 0, 0.2775328), (10, 10, 0.7224672, 1), (1, 1, 0.2065493, 1),
    ] {
      var tally = ScoreTally(isGraded: false)
      for number in 0..<of { tally.add(number < right ? 1 : 0) }
      let interval = tally.interval
      #expect(abs(interval.lowerBound - low) < 1e-6 && abs(interval.upperBound - high) < 1e-6, "\(interval)")
      #expect(interval.contains(tally.mean))
    }
  }

  @Test func boxes() throws {
    let marked = "<|ref|>the cat<|/ref|><|det|>[[%]]<|/det|>"
    func answer(_ edges: String) -> String { marked.replacingOccurrences(of: "%", with: edges) }
    let header = ["bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "width", "height"]
    // A box of half of a picture of 1998 x 999 pixels: 0 to 999 on the model's grid is the whole width.
    let wide = try items("RefCOCO", header, [["0", "0", "999", "999", "1998", "999"]])[0]
    #expect(score(wide, answer("0, 0, 500, 999")) == 1 && score(wide, answer("0, 0, 250, 999")) == 1)
    #expect(score(wide, answer("0, 0, 249, 999")) == 0)
    #expect(score(wide, answer("500, 999, 0, 0")) == 1, "edges the other way about")
    #expect(score(wide, answer("0, 0, 500, 999], [0, 0, 1, 1")) == 1, "the first counts")
    #expect(score(wide, "") == 0 && score(wide, answer("0, 0, 500")) == 0 && score(wide, "no box") == 0)
    #expect(score(wide, "0.0 0.0 0.5 1.0") == 1 && score(wide, "[0,0,.5,1e0]") == 1, "fractions")
    #expect(score(wide, "from 0, 0 to 1001, 998") == 1, "pixels, being more than 1000")
    #expect(score(wide, answer("-90, 0, 500, 2e2")) == 0)
    // Without columns the answer has the box: pixels, or fractions of the picture, whose size is its own.
    let own = try items("RefCOCOg", ["answer"], [["[0, 0, 50, 100]"], ["0 0 .5 1"]])
    for item in own {
      #expect(score(item, answer("0, 0, 499, 999")) == 1 && score(item, answer("0, 0, 240, 999")) == 0)
    }
  }

  @Test func plain() throws {
    let item = try items("plain", ["answer"], [["['Red square', 'a red square']"]])[0]
    #expect(score(item, " RED  square.") == 1 && score(item, "red") == 0)
  }
}

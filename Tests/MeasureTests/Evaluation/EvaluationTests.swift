import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Measure

@Suite struct EvaluationTests {
  /// Whether `answer` is right where `expected`, as JSON, is.
  private func accepts(_ expected: String, as match: String = "text", _ answer: String) throws -> Bool {
    try withTemporaryFolder { folder in
      let line = #"{"task": "t", "question": "?", "match": "\#(match)", "answer": \#(expected)}"#
      let items = try EvaluationItem.load(try write([line], in: folder))
      return items.count == 1 && items[0].expected.accepts(answer)
    }
  }

  private func write(_ lines: [String], in folder: String) throws -> String {
    let path = folder + "/items.jsonl"
    try TestSupport.write(lines.joined(separator: "\n").utf8, to: path)
    return path
  }

  private func quoted(_ text: String) throws -> String {
    String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
  }

  @Test func text() throws {
    for answer in ["A red  square", " a RED\n\tsquare. ", "a red square .", "\u{b}A red square\u{c}"] {
      #expect(try accepts(#""a red square""#, answer), "\(answer)")
      #expect(try accepts(#"["three", " A  Red Square. "]"#, answer), "\(answer)")
    }
    for answer in ["", ".", "a redsquare", "a red square..", "a red square!", "the a red square"] {
      #expect(try !accepts(#""a red square""#, answer), "\(answer)")
    }
    #expect(try accepts(#""3.""#, "3") && !accepts(#""3""#, "3.0"))
    // Letters beyond ASCII are themselves, byte for byte.
    #expect(try accepts(#""Äpfel""#, "Äpfel.") && !accepts(#""Äpfel""#, "äpfel"))
    #expect(try !accepts("\"\u{E9}\"", "e\u{301}"))
    #expect(try !accepts(#""a b""#, "a\u{A0}b"))
  }

  @Test func json() throws {
    let expected = #"{"n": 2, "names": ["a", "b"], "x": {"y": null, "z": true}}"#
    let asText = try quoted(expected)
    for answer in [
      expected, #" {"names":["a","\u0062"],"x":{"z":true,"y":null},"n":2.0} "#,
      #"{"n": 20e-1, "names": ["a", "b"], "x": {"y": null, "z": true}}"#,
    ] {
      #expect(try accepts(expected, as: "json", answer), "\(answer)")
      #expect(try accepts(asText, as: "json", answer), "\(answer)")
      #expect(try accepts("[1, \(expected)]", as: "json", answer), "\(answer)")
    }
    for answer in [
      "", "{", "Here: \(expected)", "\(expected) \(expected)", #"{"n": 2}"#,
      #"{"n": 2.5, "names": ["a", "b"], "x": {"y": null, "z": true}}"#,
      #"{"n": "2", "names": ["a", "b"], "x": {"y": null, "z": true}}"#,
      #"{"n": 2, "names": ["b", "a"], "x": {"y": null, "z": true}}"#,
      #"{"n": 2, "n": 2, "names": ["a", "b"], "x": {"y": null, "z": true}}"#,
      #"{"n": 2, "m": 1, "names": ["a", "b"], "x": {"y": null, "z": true}}"#,
      #"{"n": 2, "names": ["A", "b"], "x": {"y": null, "z": true}}"#,
    ] {
      #expect(try !accepts(expected, as: "json", answer), "\(answer)")
    }
    #expect(try accepts("[[1, 2]]", as: "json", "[1, 2]") && !accepts("[1, 2]", as: "json", "[1, 2]"))
    #expect(try accepts("9007199254740992", as: "json", "9007199254740992.0"))
    #expect(try !accepts("9007199254740993", as: "json", "9007199254740992.0"))
  }

  @Test func boxes() throws {
    func grounded(_ label: String, _ boxes: String) -> String {
      "<|ref|>\(label)<|/ref|><|det|>\(boxes)<|/det|>"
    }
    let one = try quoted(grounded("the cat", "[[0, 0, 100, 100]]"))
    for (label, boxes) in [
      ("the cat", "[[0, 0, 100, 100]]"), ("The  Cat.", "[[0, 0, 100, 50]]"),
      ("the cat", "[[0, 0, 141, 141]]"),
    ] {
      #expect(try accepts(one, as: "boxes", grounded(label, boxes)), "\(label) \(boxes)")
      #expect(try accepts(one, as: "boxes", "Here: " + grounded(label, boxes) + "."))
    }
    for (label, boxes) in [
      ("the dog", "[[0, 0, 100, 100]]"), ("the cat", "[[0, 0, 100, 49]]"), ("the cat", "[[0, 0, 142, 142]]"),
      ("the cat", "[[0, 0, 100, 100], [0, 0, 100, 100]]"), ("the cat", "[[0, 0, 100]]"),
    ] {
      #expect(try !accepts(one, as: "boxes", grounded(label, boxes)), "\(label) \(boxes)")
    }
    #expect(try !accepts(one, as: "boxes", ""))
    // Every expected box needs a found one of its own, in any order and under any division into spans.
    let two = try quoted(grounded("a", "[[0, 0, 100, 100], [200, 0, 300, 100]]"))
    #expect(try accepts(two, as: "boxes", grounded("a", "[[201, 0, 300, 100], [0, 1, 100, 100]]")))
    #expect(
      try accepts(two, as: "boxes", grounded("a", "[[201, 0, 300, 99]]") + grounded("a", "[[0, 1, 100, 99]]"))
    )
    #expect(try !accepts(two, as: "boxes", grounded("a", "[[0, 0, 100, 100], [0, 0, 100, 99]]")))
    #expect(try !accepts(two, as: "boxes", grounded("a", "[[0, 0, 100, 100]]")))
    // The best pair comes first: the first found box would do for either, the second for one only.
    let near = try quoted(grounded("a", "[[0, 0, 100, 100], [30, 0, 130, 100]]"))
    #expect(try accepts(near, as: "boxes", grounded("a", "[[25, 0, 125, 100], [0, 0, 90, 100]]")))
  }

  @Test func scores() {
    var evaluation = Evaluation()
    #expect(evaluation.overall.accuracy == 0)
    for (task, isRight) in [("a", true), ("a", false), ("a", true), ("b", false)] {
      evaluation.add(task: task, isRight: isRight)
    }
    #expect(evaluation.tasks["a"]?.accuracy == 2.0 / 3)
    #expect(evaluation.tasks["b"]?.items == 1 && evaluation.tasks["b"]?.right == 0)
    #expect(evaluation.overall.accuracy == 0.5)
  }

  @Test func reading() throws {
    try withTemporaryFolder { folder in
      let picture = Fixtures.path("golden/images/small.png")
      try FileManager.default.copyItem(atPath: picture, toPath: folder + "/a.png")
      let path = try write(
        [
          "\u{FEFF}",
          #"{"task": "one", "id": "x", "images": ["a.png"], "question": "<image> what?", "answer": "b"}"#,
          " \r",
          #"{"task": "two", "turns": [["system", "s"], ["user", "u"], ["assistant", "a"], ["user", "v"]],"#
            + #" "images": ["\#(picture)", "a.png"], "answer": ["c"]}"#, "",
        ], in: folder)
      let items = try EvaluationItem.load(path)
      #expect(items.map(\.line) == [2, 4])
      #expect(items.map(\.task) == ["one", "two"])
      #expect(items.map(\.id) == ["x", nil])
      #expect(items[0].pictures == [folder + "/a.png"])
      #expect(items[1].pictures == [picture, folder + "/a.png"])
      #expect(items[0].turns.map(\.text) == ["<image> what?"])
      #expect(items[1].turns.map(\.role) == [.system, .user, .assistant, .user])
      #expect(try EvaluationItem.load(path, limit: 1).map(\.line) == [2])
    }
  }

  /// Each bad line is named, and so is what is wrong with it.
  @Test(arguments: [
    ("nonsense", "not JSON"), ("[]", "not a JSON object"), (#"{"task": "t"} x"#, "not JSON"),
    (#"{"question": "?", "answer": "a"}"#, "task is missing"),
    (#"{"task": "", "question": "?", "answer": "a"}"#, "task is"),
    (#"{"task": "a\nb", "question": "?", "answer": "a"}"#, "control characters"),
    (#"{"task": "a\u009bb", "question": "?", "answer": "a"}"#, "control characters"),
    (#"{"task": 1, "question": "?", "answer": "a"}"#, "task is 1"),
    (#"{"task": "t", "answer": "a"}"#, "question is missing"),
    (#"{"task": "t", "question": "?", "turns": [["user", "?"]], "answer": "a"}"#, "both"),
    (#"{"task": "t", "question": "?"}"#, "answer is missing"),
    (#"{"task": "t", "question": "?", "answer": 3}"#, "answer is 3"),
    (#"{"task": "t", "question": "?", "answer": []}"#, "empty list"),
    (#"{"task": "t", "question": "?", "answer": ["a", " . "]}"#, "answer is empty"),
    (#"{"task": "t", "question": "?", "answer": "a", "mach": "json"}"#, "mach"),
    (#"{"task": "t", "question": "?", "answer": "a", "match": "exact"}"#, "match is"),
    (#"{"task": "t", "question": "?", "answer": "{", "match": "json"}"#, "answer is not JSON"),
    (#"{"task": "t", "question": "?", "answer": "[[1, 2, 3, 4]]", "match": "boxes"}"#, "no boxes"),
    (#"{"task": "t", "turns": [], "answer": "a"}"#, "turns"),
    (#"{"task": "t", "turns": [["user", "?"], ["assistant", "x"]], "answer": "a"}"#, "do not end"),
    (#"{"task": "t", "turns": [["robot", "?"]], "answer": "a"}"#, "a turn is"),
    (#"{"task": "t", "turns": ["user", "?"], "answer": "a"}"#, "a turn is"),
    (#"{"task": "t", "question": "?", "images": "a.png", "answer": "a"}"#, "images"),
    (#"{"task": "t", "question": "?", "images": [""], "answer": "a"}"#, "images"),
    (#"{"task": "t", "question": "<image>?", "answer": "a"}"#, "<image>"),
    (
      #"{"task": "t", "turns": [["system", "<image>"], ["user", "?"]], "answer": "a"}"#,
      "a picture stands in a turn of role system"
    ),
  ])
  func badLines(line: String, naming: String) throws {
    try withTemporaryFolder { folder in
      let good = #"{"task": "t", "question": "?", "answer": "a"}"#
      let path = try write([good, "", line, good], in: folder)
      let error = try #require(thrown { _ = try EvaluationItem.load(path) } as? FileError)
      let text = error.description
      #expect(text.hasPrefix("\(path), line 3: ") && text.contains(naming), "\(text)")
      #expect(error.kind == .badData)
      #expect(!text.contains("\n"))
      #expect(try EvaluationItem.load(path, limit: 1).count == 1)
    }
  }
}

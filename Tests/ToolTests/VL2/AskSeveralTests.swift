import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 ask` with several things to find, several choices, several pictures and several lines.
@Suite struct AskSeveralTests {
  private let vl2 = Tool("vl2")

  /// Several things are looked for one after the other, and their boxes come together.
  @Test func groundSeveral() throws {
    let picture = Fixtures.pocket + "/eval/ci/pictures/0000.jpg"
    let words = ["ask", "--model", try PackedModels.pocket()]
    let things = ["the green star", "the purple star"]
    let alone = try things.map { try vl2.run(words + ["--ground", $0, picture]).output }
    #expect(alone[0] != alone[1])
    let both = words + ["--ground", things[0], "--ground", things[1]]
    let run = try vl2.run(both + [picture])
    #expect(run.status == 0 && run.output == alone[0] + alone[1], "\(run.output)")
    try withTemporaryFolder { folder in
      let json = try vl2.run(both + ["--json", "--draw", folder + "/out.png", picture])
      #expect(json.errors.contains("out.png: 2 boxes drawn"), "\(json.errors)")
      let object = try jsonObject(json.output)
      let boxes = try #require(object["boxes"] as? [[String: Any]])
      #expect(boxes.compactMap { $0["label"] as? String } == things)
      #expect(object["answer"] as? String == String((alone[0] + alone[1]).dropLast()))
      // The picture is looked at once.
      let one = try jsonObject(try vl2.run(words + ["--ground", things[0], "--json", picture]).output)
      #expect(object["tiles"] as? Int == one["tiles"] as? Int)
      #expect(object["answer_tokens"] as? Int ?? 0 > one["answer_tokens"] as? Int ?? 0)
    }
    let each = try vl2.run(both + ["--each", picture, picture])
    #expect(each.output == String(repeating: "\(picture): \(alone[0])\(picture): \(alone[1])", count: 2))
    expectFailure(
      try vl2.run(words + ["--ground", "a", "--ground", " ", picture]), status: 64,
      naming: "--ground: the description is empty")
  }

  /// A choice may hold a comma.
  @Test func choicesOneByOne() throws {
    let words = ["ask", "--model", try PackedModels.path("nano-mha", .q4), "--json"]
    func texts(_ options: [String]) throws -> [String] {
      let run = try vl2.run(words + options + ["How is it?"])
      #expect(run.status == 0, "\(run.errors)")
      let choices = try jsonObject(run.output)["choices"] as? [[String: Any]] ?? []
      return choices.compactMap { $0["text"] as? String }.sorted()
    }
    #expect(try texts(["--choices", "open, shut"]) == ["open", "shut"])
    #expect(try texts(["--choice", "open, wide", "--choice", "shut"]) == ["open, wide", "shut"])
    #expect(
      try texts(["--choices", "ajar,shut", "--choice", "open, wide"]) == ["ajar", "open, wide", "shut"])
    expectFailure(
      try vl2.run(words + ["--choice", "a", "--boxes", "How?"]), status: 64,
      naming: "--choices writes no answer")
    let sure = try vl2.run(words + ["--choice", "a", "--choice", "b", "--min-probability", "1", "How?"])
    #expect(sure.status == 1)
  }

  /// A folder stands for its pictures, in the order of their names, and not for those of folders in it.
  @Test func eachOfFolder() throws {
    let words = [
      "ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "3", "--each", "--json",
    ]
    try withTemporaryFolder { folder in
      let files = FileManager.default
      for name in ["b.png", "a.PNG", ".hidden.png", "sub/c.png", "notes.txt"] {
        let path = folder + "/" + name
        try files.createDirectory(atPath: folder + "/sub", withIntermediateDirectories: true)
        try files.copyItem(atPath: Fixtures.path("golden/images/small.png"), toPath: path)
      }
      func asked(_ pictures: [String]) throws -> [String] {
        let run = try vl2.run(words + pictures + ["Which?"])
        #expect(run.status == 0, "\(run)")
        return try run.output.split(separator: "\n").compactMap {
          try jsonObject(String($0))["picture"] as? String
        }
      }
      #expect(try asked([folder]) == ["a.PNG", "b.png"].map { folder + "/" + $0 })
      let mixed = try asked([folder + "/sub/", folder + "/b.png", folder])
      #expect(mixed == ["sub/c.png", "b.png", "a.PNG", "b.png"].map { folder + "/" + $0 })
      try files.createDirectory(atPath: folder + "/none", withIntermediateDirectories: true)
      expectFailure(
        try vl2.run(words + [folder, folder + "/none", "Which?"]), status: 66,
        naming: "none: holds no pictures")
      expectFailure(
        try vl2.run(words + ["--draw", folder + "/out.png", folder, "Which?"]), status: 64,
        naming: "with --each give one picture")
      expectFailure(
        try vl2.run(words + ["--draw", folder + "/sub/c.png", folder + "/sub", "Which?"]), status: 64,
        naming: "this command reads it")
    }
  }

  /// A name stands on a line of its own where the answer has several.
  @Test func eachWithLines() throws {
    let words = ["ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "24"]
    let small = Fixtures.path("golden/images/small.png")
    // A seed for each sort of answer; the small model writes what comes.
    var found: Set<Bool> = []
    for seed in 0..<60 where found.count < 2 {
      let options = ["--temperature", "2", "--seed", "\(seed)"]
      let answer = try vl2.run(words + options + [small, "Which?"]).output
      let hasLines =
        answer.split(whereSeparator: \.isNewline).count { !$0.allSatisfy(\.isWhitespace) } > 1
      guard found.insert(hasLines).inserted else { continue }
      let each = try vl2.run(words + options + ["--each", small, "Which?"]).output
      #expect(each == (hasLines ? "\(small):\n\(answer)" : "\(small): \(answer)"))
    }
    #expect(found.count == 2)
  }
}

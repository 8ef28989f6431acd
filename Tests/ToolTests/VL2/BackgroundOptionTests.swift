import Foundation
import TestModels
import TestSupport
import Testing
import VL2Run

/// What transparent pictures are laid on, as every command that reads pictures takes it.
@Suite struct BackgroundOptionTests {
  private let vl2 = Tool("vl2")
  private let picture = Fixtures.path("pictures/black-on-clear.png")

  /// The picture that was looked at, drawn again without a box.
  @Test func ask() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    try withTemporaryFolder { folder in
      for (words, background) in [
        ([], .white), (["--background", "black"], .black), (["--background", "none"], .dropped),
        (["--background", "ffcc00"], try #require(Background("ffcc00"))),
      ] as [([String], Background)] {
        let out = folder + "/out.png"
        let run = try vl2.run(
          ["ask", "--model", model, "--max-tokens", "1", "--draw", out] + words + [picture, "What is it?"])
        #expect(run.status == 0, "\(run)")
        #expect(
          try Picture(contentsOf: out) == Picture(contentsOf: picture, background: background), "\(words)")
      }
    }
    for command in ["ask", "chat"] {
      expectFailure(
        try vl2.run([command, "--model", model, "--background", "blue", picture, "What?"]), status: 64,
        naming: "give white, black, none, or a colour as RRGGBB")
    }
  }

  /// Answers to items are those about the picture on its background.
  @Test func evaluate() throws {
    let path = try PackedModels.path("nano-mha", .q4)
    let model = try Model(path: path)
    try withTemporaryFolder { folder in
      let item =
        #"{"task": "t", "images": ["\#(picture)"], "question": "What is it?", "answer": "nothing"}"# + "\n"
      try write(item.utf8, to: folder + "/items.jsonl")
      for (words, background) in [([], .white), (["--background", "none"], .dropped)]
        as [([String], Background)]
      {
        let answers = folder + "/answers\(words.count).jsonl"
        let run = try vl2.run(
          [
            "eval", "--model", path, "--items", folder + "/items.jsonl", "--answers",
            answers,
            "--max-tokens", "12",
          ] + words)
        #expect(run.status == 0, "\(run)")
        let line = String(decoding: try bytes(of: answers), as: UTF8.self)
        let question = Question(
          "What is it?", pictures: [try Picture(contentsOf: picture, background: background)], maxTokens: 12)
        #expect(try jsonObject(line)["answer"] as? String == model.answer(question).text, "\(words)")
      }
    }
  }

  /// A trace is of what the published processor reads.
  @Test func trace() throws {
    try withTemporaryFolder { folder in
      let cases =
        #"[{"name": "a", "images": ["\#(picture)"], "turns": [["user", "<image>\nWhat?"]], "new_tokens": 1}]"#
      try write(cases.utf8, to: folder + "/cases.json")
      let words = [
        "trace", "--model", try PackedModels.path("nano-mha", .q4), "--cases", folder + "/cases.json",
      ]
      let whole = try vl2.run(words + ["-o", folder + "/whole"])
      let tiles = try vl2.run(words + ["--tiles", "-o", folder + "/tiles"])
      #expect(whole.status == 0 && tiles.status == 0, "\(whole) \(tiles)")
      let (one, two) = (
        try SafetensorsFile(path: folder + "/whole/a.safetensors"),
        try SafetensorsFile(path: folder + "/tiles/a.safetensors")
      )
      #expect(Set(two.names) == ["input_ids", "grids", "tiles.0"] && one.names.count > 10)
      for name in two.names { #expect(try one.bytes(of: name) == two.bytes(of: name), "\(name)") }
      // Black on black, with the grey beside it that a square picture has none of.
      #expect(try Set(two.bytes(of: "tiles.0")) == [0])
      expectFailure(
        try vl2.run(words + ["--tiles", "--routes", folder + "/routes"]), status: 64,
        naming: "--tiles goes with -o")
    }
  }
}

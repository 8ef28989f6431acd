import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Base
import VL2Run

/// `vl2` as a user meets it: output, exit status, one line for each error.
@Suite struct AskCommandTests {
  private let vl2 = Tool("vl2")

  private func picture(_ name: String) -> String { Fixtures.path("golden/images/" + name) }

  @Test func answers() throws {
    let model = try PackedModels.path("nano-mha", .bf16)
    let expected = try PackedModels.open("nano-mha", .bf16).answer(
      Question("What is it?", pictures: [try Picture(contentsOf: picture("small.png"))], maxTokens: 9))
    let words = ["--model", model, "--max-tokens", "9", picture("small.png")]
    let plain = try vl2.run(["ask"] + words + ["What is it?"])
    #expect(plain.status == 0, "\(plain.errors)")
    #expect(plain.output == expected.text + "\n")
    #expect(plain.errors.isEmpty)
    let piped = try vl2.run(["ask"] + words + ["-"], input: "What is it?\n")
    #expect(piped.output == plain.output)
    let fromEnvironment = try vl2.run(
      ["ask"] + words.dropFirst(2) + ["What is it?"], environment: ["VL2_MODEL": model])
    #expect(fromEnvironment.output == plain.output)
  }

  @Test func keyValueCodes() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let words = ["ask", "--model", model, "--max-tokens", "40", "What is it?"]
    func expected(_ code: KeyValueCode) throws -> String {
      var options = RuntimeOptions(threads: 2)
      options.keyValues = code
      return try Model(path: model, options: options)
        .answer(Question("What is it?", maxTokens: 40)).text + "\n"
    }
    // Long enough for the two to part.
    #expect(try expected(.int8) != expected(.float32))
    let plain = try vl2.run(words)
    #expect(plain.status == 0, "\(plain.errors)")
    #expect(try plain.output == expected(.int8))
    #expect(try vl2.run(words + ["--kv", "int8"]).output == plain.output)
    let float = try vl2.run(words + ["--kv", "f32"])
    #expect(float.status == 0, "\(float.errors)")
    #expect(try float.output == expected(.float32))
    expectFailure(
      try vl2.run(words + ["--kv", "f16"]), status: 64, naming: "'f16' is invalid for '--kv <code>'")
    expectFailure(try vl2.run(words + ["--kv", "int8", "--exact"]), status: 64, naming: "--kv int8")
  }

  @Test func json() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let run = try vl2.run(
      ["ask", "--model", model, "--max-tokens", "5", "--json", picture("wide.jpg"), "What is it?"])
    #expect(run.status == 0, "\(run.errors)")
    let object = try jsonObject(run.output)
    for key in [
      "answer", "ending", "prompt_tokens", "answer_tokens", "tiles", "threads", "seconds",
      "peak_anonymous_bytes", "peak_file_backed_bytes",
    ] {
      #expect(object[key] != nil, "\(key)")
    }
    let seconds = try #require(object["seconds"] as? [String: Any])
    #expect(Set(seconds.keys) == ["open", "decode", "tile", "vision", "prompt", "write"])
    #expect((object["peak_anonymous_bytes"] as? Int ?? 0) > 1 << 20)
    #expect((object["peak_file_backed_bytes"] as? Int ?? 0) > 1 << 20)
  }

  @Test func aDemonstrationModelSaysSoOnce() throws {
    try withTemporaryFolder { folder in
      let golden = Fixtures.checkpoint("nano-mha")
      try link(golden, into: folder, except: ["config.json"])
      let config = try String(contentsOfFile: golden + "/config.json", encoding: .utf8)
      let marked =
        "{\"vl2_demonstration\": \"I know nine pictures.\"," + config.drop { $0 != "{" }.dropFirst()
      try write(marked.utf8, to: folder + "/config.json")
      let model = folder + "/model.vl2q"
      try packed(folder, to: model)
      let run = try vl2.run(["ask", "--model", model, "--max-tokens", "4", "What is it?"])
      #expect(run.status == 0 && run.errors == "vl2: I know nine pictures.\n")
      #expect(!run.output.contains("nine"))
    }
  }

  /// Each picture by itself gives what asking about it alone gives; a bad one costs its own answer only.
  @Test func each() throws {
    let words = ["ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "6"]
    let (small, wide) = (picture("small.png"), picture("wide.jpg"))
    let alone = try [small, wide].map { try vl2.run(words + [$0, "What is it?"]).output }
    let each = try vl2.run(words + ["--each", small, "/none.jpg", wide, "What is it?"])
    #expect(each.output == "\(small): \(alone[0])\(wide): \(alone[1])")
    #expect(each.status == 66 && each.errors.contains("/none.jpg"), "\(each.errors)")
    let json = try vl2.run(words + ["--each", "--json", small, wide, "What is it?"])
    let lines = json.output.split(separator: "\n")
    #expect(lines.count == 2 && lines[0].contains("\"picture\":\"\(small)\""), "\(json.output)")
  }

  @Test func pictureFromStandardInput() throws {
    let words = ["ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "6"]
    try withTemporaryFolder { folder in
      let output = FileManager.default.createFile(atPath: folder + "/out", contents: nil)
      #expect(output)
      let file = try #require(FileHandle(forReadingAtPath: picture("small.png")))
      let writing = try #require(FileHandle(forWritingAtPath: folder + "/out"))
      let process = try vl2.start(words + ["-", "What is it?"], input: file, output: writing)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      let piped = String(decoding: try bytes(of: folder + "/out"), as: UTF8.self)
      #expect(try piped == vl2.run(words + [picture("small.png"), "What is it?"]).output)
    }
  }

  /// The same seed gives the same answer, whatever the threads; without one the answers differ.
  @Test func seeds() throws {
    let words = [
      "ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "16", "--temperature", "1",
      "What is it?",
    ]
    let one = try vl2.run(words + ["--seed", "5", "--threads", "1"]).output
    #expect(try vl2.run(words + ["--seed", "5", "--threads", "3"]).output == one)
    #expect(try vl2.run(words + ["--seed", "6"]).output != one)
    #expect(try vl2.run(words).output != vl2.run(words).output)
    let json = try vl2.run(words + ["--seed", "5", "--json"]).output
    #expect(json.contains("\"seed\":5"))
  }

  @Test func groundAndDraw() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    try withTemporaryFolder { folder in
      let words = ["ask", "--model", model, "--max-tokens", "6", picture("small.png")]
      let drawn = try vl2.run(words + ["--ground", "the dog", "--draw", folder + "/out.png"])
      #expect(drawn.status == 0 && drawn.errors.contains("out.png: 0 boxes drawn"), "\(drawn.errors)")
      #expect(try Picture(contentsOf: folder + "/out.png") == Picture(contentsOf: picture("small.png")))
      // The marks count where vl2 writes them, and nowhere else.
      let model = try Model(path: model, options: RuntimeOptions(threads: 2))
      func answer(_ text: Turn.Part) throws -> String {
        let picture = try Picture(contentsOf: picture("small.png"))
        return try model.answer(Question([.user([text], pictures: [picture])], maxTokens: 6)).text + "\n"
      }
      let question = "<|ref|>the dog<|/ref|>."
      #expect(try drawn.output == answer(.trusted(question)))
      #expect(try vl2.run(words + [question]).output == answer(.text(question)))
      let boxes = try vl2.run(words + ["--boxes", "Describe it."])
      #expect(try boxes.output == answer(.trusted("<|grounding|>Describe it.")))
    }
    expectFailure(
      try vl2.run([
        "ask", "--model", model, "--max-tokens", "2", "--draw", "/none/x.png", picture("small.png"), "x",
      ]),
      status: 74, naming: "/none/x.png: cannot be written: no such folder")
  }

  /// A question says where its pictures stand only where it is asked to; otherwise it may be about HTML.
  @Test func places() throws {
    let path = try PackedModels.path("nano-mha", .q4)
    let model = try Model(path: path, options: RuntimeOptions(threads: 2))
    let picture = try Picture(contentsOf: picture("small.png"))
    func answer(_ turns: [Turn]) throws -> String {
      try model.answer(Question(turns, maxTokens: 6)).text + "\n"
    }
    let words = ["ask", "--model", path, "--max-tokens", "6", self.picture("small.png")]
    let html = "What does <image> mean in SVG?"
    #expect(try vl2.run(words + [html]).output == answer([.user(html, pictures: [picture])]))
    let placed = try vl2.run(words + ["--placed", "Is <image> red?"])
    let parts: [Turn.Part] = [.text("Is "), .picture(picture), .text(" red?")]
    #expect(try placed.output == answer([Turn(role: .user, parts: parts)]))
  }

  /// A part of a picture is asked about as if it were one by itself; boxes are the whole picture's.
  @Test func region() throws {
    let words = ["ask", "--model", try PackedModels.pocket(), "--max-tokens", "40"]
    try withTemporaryFolder { folder in
      // A blue square in the part, and a red one outside of it.
      var pixels = [UInt8](repeating: 235, count: 300 * 200 * 3)
      func paint(_ left: Int, _ top: Int, _ width: Int, _ height: Int, _ color: [UInt8]) {
        for y in top..<top + height {
          for x in left..<left + width { for c in 0..<3 { pixels[(y * 300 + x) * 3 + c] = color[c] } }
        }
      }
      paint(170, 80, 60, 60, [40, 92, 212])
      paint(20, 20, 60, 60, [214, 40, 40])
      let whole = Picture(width: 300, height: 200, pixels: pixels)
      var rows: [UInt8] = []
      for y in 40..<200 {
        let first = (y * 300 + 120) * 3
        rows += pixels[first..<first + 160 * 3]
      }
      let part = Picture(width: 160, height: 160, pixels: rows)
      try whole.writePNG(to: folder + "/whole.png")
      try part.writePNG(to: folder + "/part.png")
      // What is outside of the picture is left out.
      let region = ["--region", "120,40,160,400"]
      let ground = ["--ground", "blue square", "--json"]
      let ours = try jsonObject(
        vl2.run(words + region + ground + ["--draw", folder + "/out.png", folder + "/whole.png"]).output)
      let alone = try jsonObject(vl2.run(words + ground + [folder + "/part.png"]).output)
      #expect(ours["answer"] as? String == alone["answer"] as? String)
      /// Left, top, right and bottom of the only box.
      func box(_ object: [String: Any]) throws -> [Int] {
        let boxes = object["boxes"] as? [[String: Any]] ?? []
        let sides = boxes.map { box in ["left", "top", "right", "bottom"].compactMap { box[$0] as? Int } }
        try #require(sides.count == 1 && sides[0].count == 4, "\(object)")
        return sides[0]
      }
      let place = try box(ours)
      let inPart = try box(alone)
      let moved = [inPart[0] + 120, inPart[1] + 40, inPart[2] + 120, inPart[3] + 40]
      #expect(place == moved)
      for (side, drawn) in zip(place, [170, 80, 230, 140]) { #expect(abs(side - drawn) < 12, "\(place)") }
      // Drawn on the whole picture, where it lies on that.
      let drawn = try Picture(contentsOf: folder + "/out.png")
      #expect(drawn.width == 300 && drawn.height == 200 && drawn != whole)
      func pixel(_ x: Int, _ y: Int) -> [UInt8] {
        let first = (y * 300 + x) * 3
        return Array(drawn.pixels[first..<first + 3])
      }
      #expect(pixel(place[0], (place[1] + place[3]) / 2) == [213, 94, 0])
      #expect(pixel(30, 30) == [214, 40, 40])
      // A question, and each of several pictures.
      let question = "What colour is the square?"
      let asked = try vl2.run(words + region + [folder + "/whole.png", question])
      #expect(try asked.output == vl2.run(words + [folder + "/part.png", question]).output)
      let each = try vl2.run(
        words + [
          "--region", "200,100,50,50", "--each", folder + "/whole.png", folder + "/part.png", question,
        ])
      #expect(each.status == 64 && each.output.hasPrefix(folder + "/whole.png: "), "\(each.output)")
      #expect(
        each.errors.contains(
          "--region 200,100,50,50 lies outside of \(folder)/part.png, which is 160 x 160 pixels"),
        "\(each.errors)")
      let outside = try vl2.run(words + ["--region", "300,0,10,10", folder + "/whole.png", question])
      #expect(outside.status == 64 && outside.errors.contains("lies outside of"), "\(outside.errors)")
      for (region, part) in [
        ("1,2,3", "give LEFT,TOP,WIDTH,HEIGHT"),
        ("0,0,0,10", "give LEFT,TOP,WIDTH,HEIGHT"), ("-1,0,10,10", "give LEFT,TOP,WIDTH,HEIGHT"),
      ] {
        expectFailure(
          try vl2.run(words + ["--region", region, folder + "/whole.png", question]), status: 64, naming: part
        )
      }
      expectFailure(
        try vl2.run(words + ["--region", "0,0,10,10", question]), status: 64, naming: "there is no picture")
    }
  }

  @Test func choices() throws {
    let words = ["ask", "--model", try PackedModels.path("nano-mha", .q4), picture("small.png")]
    let best = try vl2.run(words + ["--choices", "a cat, a dog,x", "What is it?"])
    #expect(best.status == 0, "\(best.errors)")
    let parts = best.output.split(whereSeparator: { $0 == "\t" || $0 == "\n" })
    #expect(parts.count == 2 && ["a cat", "a dog", "x"].contains(parts[0]) && Double(parts[1]) ?? 0 > 0.33)
    let none = try vl2.run(
      words + ["--choices", "a cat,a dog", "--min-probability", "1", "--json", "What is it?"])
    let object = try jsonObject(none.output)
    #expect((object["choices"] as? [Any])?.count == 2 && object["choice"] is NSNull)
    #expect(none.status == 1)
    expectFailure(try vl2.run(words + ["--choices", "a cat", "What?"]), status: 64, naming: "at least two")
  }

  @Test func schema() throws {
    let words = ["ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "60"]
    try withTemporaryFolder { folder in
      func file(_ text: String) throws -> String {
        try write(text.utf8, to: folder + "/s.json")
        return folder + "/s.json"
      }
      let path = try file(#"{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}"#)
      let run = try vl2.run(words + ["--schema", path, "How many?"])
      #expect(try jsonObject(run.output)["n"] is Int, "\(run.output) \(run.errors)")
      expectFailure(
        try vl2.run(words + ["--schema", try file("{\"type\": \"text\"}"), "x"]), status: 65,
        naming: "s.json: #/type")
      expectFailure(
        try vl2.run(words + ["--schema", folder + "/none.json", "x"]), status: 66, naming: "none.json")
    }
  }

  @Test func badInput() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    try withTemporaryFolder { folder in
      expectFailure(
        try vl2.run(["ask", "--model", folder + "/none.vl2q", "Hello"]), status: 66, naming: "none.vl2q")
      expectFailure(
        try vl2.run(["ask", "--model", picture("wide.jpg"), "Hello"]), status: 65, naming: "wide.jpg")
      let cut = folder + "/cut.vl2q"
      let whole = try bytes(of: model)
      try write(whole.prefix(whole.count / 2), to: cut)
      expectFailure(try vl2.run(["ask", "--model", cut, "Hello"]), status: 65, naming: "cut.vl2q")
      expectFailure(
        try vl2.run(["ask", "--model", model, folder + "/none.jpg", "Hello"]), status: 66, naming: "none.jpg")
      let text = folder + "/text.jpg"
      try write("no picture".utf8, to: text)
      expectFailure(try vl2.run(["ask", "--model", model, text, "Hello"]), status: 65, naming: "text.jpg")
      for question in ["what?", "<image> and <image>?"] {
        let words = ["ask", "--model", model, "--placed", picture("small.png"), picture("small.png")]
        let run = try vl2.run(words + [question + " <image>"])
        expectFailure(run, status: 64, naming: "<image>")
      }
      expectFailure(
        try vl2.run(["ask", "--model", model, String(repeating: "word ", count: 5000)]), status: 65,
        naming: "context")
    }
  }

  @Test func usage() throws {
    for arguments in [
      ["ask"], ["ask", "--max-tokens", "0", "x"], ["ask", "--threads", "0", "x"], ["ask", "--unknown", "x"],
      ["ask", "--model", "x", " "], ["unknown"], ["ask", "--model", "x", picture("wide.jpg")],
      ["ask", "--temperature", "-1", "x"], ["ask", "--temperature", "nan", "x"],
      ["ask", "--top-p", "0", "x"],
      ["ask", "--repetition-penalty", "0.5", "x"], ["ask", "--seed", "-1", "x"], ["ask", "--each", "x"],
      ["ask", "--draw", "x.png", "x"], ["ask", "--draw", picture("small.png"), picture("small.png"), "x"],
      ["ask", "--draw", "x.jpg", picture("small.png"), "x"], ["ask", "-", "-"],
      ["ask", "--ground", " ", picture("wide.jpg")],
      ["ask", "--each", "--draw", "x.png", picture("wide.jpg"), picture("small.png"), "x"],
      ["ask", "--ground", "x", "--boxes", picture("wide.jpg")],
      ["ask", "--ground", "x", "--placed", picture("wide.jpg")],
      ["ask", "--choices", "a,b", "--boxes", "x"],
    ] {
      let run = try vl2.run(arguments, environment: ["VL2_MODEL": ""])
      #expect(run.status == 64, "\(arguments): \(run.errors)")
      #expect(!run.errors.isEmpty)
    }
    #expect(try vl2.run(["--version"]).output == packageVersion + "\n")
    let help = try vl2.run(["ask", "--help"])
    #expect(help.status == 0 && help.output.contains("--max-tokens"))
  }

  /// An instruction set that is not there is named, and the answer is the same.
  @Test func unknownInstructionSet() throws {
    let words = [
      "ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "5", "What is it?",
    ]
    let plain = try vl2.run(words)
    let portable = try vl2.run(words, environment: ["VL2_ISA": "portable"])
    let unknown = try vl2.run(words, environment: ["VL2_ISA": "none-such"])
    #expect(plain.status == 0 && plain.errors.isEmpty)
    #expect(portable.output == plain.output && portable.errors.isEmpty)
    #expect(unknown.output == plain.output && unknown.errors.contains("none-such"))
  }

  @Test func trace() throws {
    let model = try PackedModels.path("nano-mha", .bf16)
    try withTemporaryFolder { folder in
      let run = try vl2.run([
        "trace", "--model", model, "--cases", Fixtures.path("golden/cases.json"), "-o", folder + "/out",
        "--exact",
      ])
      #expect(run.status == 0, "\(run.errors)")
      for name in Fixtures.goldenCases {
        let golden = try SafetensorsFile(path: Fixtures.path("golden/nano-mha/\(name).safetensors"))
        let ours = try SafetensorsFile(path: folder + "/out/\(name).safetensors")
        #expect(ours.names == golden.names)
        #expect(try ours.integers(of: "greedy") == golden.integers(of: "greedy"))
        #expect(try ours.shape(of: "logits") == golden.shape(of: "logits"))
      }
      expectFailure(
        try vl2.run(["trace", "--model", model, "--cases", folder + "/none.json", "-o", folder]), status: 66,
        naming: "none.json")
      let bad = folder + "/bad.json"
      try write(#"[{"name": "../x", "images": [], "turns": []}]"#.utf8, to: bad)
      expectFailure(
        try vl2.run(["trace", "--model", model, "--cases", bad, "-o", folder]), status: 65, naming: "bad.json"
      )
    }
  }
}

import Foundation
import TestModels
import TestSupport
import Testing
import VL2Quant

/// Every file that a command writes, held against every file that it reads: nothing that is read is ever replaced, nor
/// anything else that is not of the result's kind, and that is found out before the work.
@Suite struct WrittenFilesTests {
  /// A command with one output.
  struct Output: CustomStringConvertible, Sendable {
    var program: String
    /// `OUT` is the output's path; the names of `inputs` are theirs.
    var words: [String]
    /// What it reads, in the folder in which it runs.
    var inputs: [String]
    /// A name that fits the result.
    var fitting: String
    var description: String { "\(program) \(words.joined(separator: " "))" }
  }

  /// All of them but what `vl2 chat` writes, which `ChatFilesTests` has, files beside pictures (`DescribeCommandTests`), and
  /// folders, which must be new (`vl2-convert dequantize`).
  static let outputs = [
    Output(
      program: "vl2",
      words: ["batch", "--model", "m.vl2q", "batch.jsonl", "--images", "ck", "-o", "OUT"],
      inputs: ["m.vl2q", "batch.jsonl"], fitting: "out.jsonl"),
    Output(
      program: "vl2-convert", words: ["pack", "ck", "--recipe", "recipe.json", "-o", "OUT"],
      inputs: [
        "ck/model-00001-of-000001.safetensors", "ck/config.json", "ck/tokenizer.json",
        "ck/tokenizer_config.json", "ck/processor_config.json", "recipe.json",
      ], fitting: "out.vl2q"),
    Output(
      program: "vl2-convert", words: ["pack", "ck", "--calibration", "s.safetensors", "-o", "OUT"],
      inputs: ["s.safetensors"], fitting: "out.vl2q"),
    Output(
      program: "vl2",
      words: [
        "calibrate", "--model", "m.vl2q", "--images", "pictures", "--questions", "questions.txt", "--text",
        "text.txt", "--add", "s.safetensors", "-o", "OUT",
      ],
      inputs: ["m.vl2q", "pictures/c.png", "questions.txt", "text.txt", "s.safetensors"],
      fitting: "out.safetensors"),
    Output(
      program: "vl2", words: ["calibrate", "--model", "m.vl2q", "--items", "items.jsonl", "-o", "OUT"],
      inputs: ["m.vl2q", "items.jsonl", "a.png"], fitting: "out.safetensors"),
    Output(
      program: "vl2-convert", words: ["pack", "bare", "--base", "ck", "-o", "OUT"],
      inputs: ["bare/model-00001-of-000001.safetensors", "ck/config.json", "ck/tokenizer.json"],
      fitting: "out.vl2q"),
    Output(
      program: "vl2-convert", words: ["synthesize", "tiny", "--tokenizer", "ck/tokenizer.json", "-o", "OUT"],
      inputs: ["ck/tokenizer.json"], fitting: "out.vl2q"),
    Output(
      program: "vl2",
      words: [
        "ask", "--model", "m.vl2q", "--schema", "schema.json", "--draw", "OUT", "a.png", "b.png", "Which?",
      ],
      inputs: ["m.vl2q", "schema.json", "a.png", "b.png"], fitting: "out.png"),
    Output(
      program: "vl2", words: ["ask", "--model", "m.vl2q", "--ground", "it", "--draw", "OUT", "a.png"],
      inputs: ["m.vl2q", "a.png"], fitting: "out.png"),
    Output(
      program: "vl2", words: ["eval", "--model", "m.vl2q", "--items", "items.jsonl", "--answers", "OUT"],
      inputs: ["m.vl2q", "items.jsonl", "a.png", "b.png"], fitting: "out.jsonl"),
    Output(
      program: "vl2", words: ["trace", "--model", "m.vl2q", "--cases", "cases.json", "--routes", "OUT"],
      inputs: ["m.vl2q", "cases.json", "a.png"], fitting: "out.jsonl"),
    Output(
      program: "vl2", words: ["bench", "--model", "m.vl2q", "--memory", "mapped", "--plot", "OUT"],
      inputs: ["m.vl2q"], fitting: "out.svg"),
    Output(
      program: "vl2", words: ["read", "--model", "m.vl2q", "-o", "OUT", "a.png", "b.png"],
      inputs: ["m.vl2q", "a.png", "b.png"], fitting: "out.md"),
    Output(
      program: "vl2", words: ["read", "--model", "m.vl2q", "--schema", "schema.json", "-o", "OUT", "a.png"],
      inputs: ["m.vl2q", "schema.json", "a.png"], fitting: "out.jsonl"),
  ]

  /// Everything that the commands read, in a folder. The model is none, so that whoever begins to work says so.
  private func withInputs(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let files = FileManager.default
      let checkpoint = Fixtures.checkpoint("nano-mha")
      try files.copyItem(atPath: checkpoint, toPath: folder + "/ck")
      try files.createDirectory(atPath: folder + "/bare", withIntermediateDirectories: false)
      try files.copyItem(
        atPath: checkpoint + "/model-00001-of-000001.safetensors",
        toPath: folder + "/bare/model-00001-of-000001.safetensors")
      for name in ["a.png", "b.png"] {
        try files.copyItem(atPath: Fixtures.path("golden/images/small.png"), toPath: folder + "/" + name)
      }
      try files.createDirectory(atPath: folder + "/pictures", withIntermediateDirectories: false)
      try files.copyItem(
        atPath: Fixtures.path("golden/images/small.png"), toPath: folder + "/pictures/c.png")
      try CalibrationFile.write(
        try madeUpStatistics(try Checkpoint(folder: checkpoint)), to: folder + "/s.safetensors")
      try write(
        [
          "/questions.txt": "What?\n", "/text.txt": "Some text.\n", "/m.vl2q": "no model",
          "/schema.json": "{}",
          "/batch.jsonl": "{}\n",
          "/recipe.json": try Tool("vl2-convert").run(["inspect", "--recipe"]).output,
          "/items.jsonl":
            #"{"task": "t", "images": ["a.png", "b.png"], "question": "q", "answer": "a"}"# + "\n",
          "/cases.json":
            #"[{"name": "case", "images": ["a.png"], "turns": [["user", "<image>?"]], "new_tokens": 1}]"#,
        ], below: folder)
      try body(folder)
    }
  }

  private func run(_ output: Output, to path: String, in folder: String) throws -> ToolRun {
    let words = output.words.map { word in
      if word == "OUT" { return path }
      let isPath = FileManager.default.fileExists(atPath: folder + "/" + word)
      return isPath ? folder + "/" + word : word
    }
    return try Tool(output.program).run(words, environment: ["VL2_MODEL": "", "HOME": folder])
  }

  /// By its own name, by another spelling, through a hard link, through a symbolic one.
  @Test(arguments: outputs) func inputsStay(_ output: Output) throws {
    try withInputs { folder in
      let files = FileManager.default
      for input in output.inputs {
        let path = folder + "/" + input
        let before = try bytes(of: path)
        let links = [folder + "/hard-" + output.fitting, folder + "/soft-" + output.fitting]
        try files.linkItem(atPath: path, toPath: links[0])
        try files.createSymbolicLink(atPath: links[1], withDestinationPath: path)
        for place in [path, folder + "/./" + input] + links {
          let refused = try run(output, to: place, in: folder)
          expectFailure(
            refused, status: 64, naming: "\(place): cannot be written: this command reads it", output.words)
          #expect(refused.errors.hasSuffix("; give another path\n"), "\(refused.errors)")
          #expect(try bytes(of: path) == before, "\(output): \(input)")
        }
        for link in links { try files.removeItem(atPath: link) }
      }
    }
  }

  /// Other people's files of another kind, also those that would be in the way only while the work goes on.
  @Test(arguments: outputs) func otherFilesStay(_ output: Output) throws {
    try withInputs { folder in
      var names = ["other.vl2q", "notes.txt", "other.safetensors", "photo.jpg", "notes"]
        .filter { !$0.hasSuffix(output.fitting.dropFirst(3)) }
      if output.program == "vl2-convert" { names += ["out.vl2q.part", "out.vl2q.part.journal"] }
      for name in names {
        let path = folder + "/" + name
        try write("precious".utf8, to: path)
        let place = name.hasPrefix("out") ? folder + "/out.vl2q" : path
        let refused = try run(output, to: place, in: folder)
        expectFailure(refused, status: 64, naming: "\(path): cannot be written: ", output.words)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious", "\(output): \(name)")
        try FileManager.default.removeItem(atPath: path)
      }
      // Nothing is left of what was refused.
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 14)
    }
  }

  /// What fits goes on to the work, which says that the model is none, or to its end.
  @Test(arguments: outputs) func fittingFilesAreReplaced(_ output: Output) throws {
    if output.words.contains("synthesize") { return }
    // It only goes on with its own (`BatchCommandTests`).
    if output.words.contains("batch") { return }
    // A shard has the same ending (`CalibrateCommandTests`).
    if output.words.contains("calibrate") { return }
    try withInputs { folder in
      let place = folder + "/" + output.fitting
      try write("replaceable".utf8, to: place)
      let run = try run(output, to: place, in: folder)
      if output.program == "vl2" {
        expectFailure(run, status: 65, naming: "m.vl2q: not a packed model", output.words)
      } else {
        #expect(run.status == 0, "\(run.errors)")
        #expect(try bytes(of: place).count > 100_000)
      }
    }
  }

  /// A picture that comes on standard input.
  @Test func standardInputStays() throws {
    try withInputs { folder in
      let picture = try #require(FileHandle(forReadingAtPath: folder + "/a.png"))
      let errors = Pipe()
      let process = try Tool("vl2").start(
        ["ask", "--model", folder + "/m.vl2q", "--draw", folder + "/a.png", "-", "Which?"], input: picture,
        errors: errors)
      let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(
        process.terminationStatus == 64
          && text.contains("a.png: cannot be written: this command reads it as /dev/stdin"), "\(text)")
    }
  }

  /// Stages go to a folder, under the cases' names: neither a shard that has such a name is replaced nor what is read.
  @Test func stagesReplaceNoShards() throws {
    try withInputs { folder in
      func trace(_ name: String) throws -> ToolRun {
        try write(
          #"[{"name": "\#(name)", "images": [], "turns": [["user", "?"]], "new_tokens": 1}]"#.utf8,
          to: folder + "/cases.json")
        return try Tool("vl2").run([
          "trace", "--model", try PackedModels.path("nano-mha", .q4), "--cases", folder + "/cases.json", "-o",
          folder + "/ck",
        ])
      }
      let shard = folder + "/ck/model-00001-of-000001.safetensors"
      let before = try bytes(of: shard)
      expectFailure(
        try trace("model-00001-of-000001"), status: 64,
        naming: "\(shard): cannot be written: it is there, and is not a file of stage outputs")
      #expect(try bytes(of: shard) == before)
      // Its own it writes again.
      for _ in 0..<2 { #expect(try trace("mine").status == 0) }
      expectFailure(
        try Tool("vl2-convert").run(["dequantize", try PackedModels.path("nano-mha", .q4), "-o", folder]),
        status: 64, naming: "\(folder): is there already and not an empty folder")
      try write(
        #"[{"name": "a", "images": [], "turns": []}, {"name": "a", "images": [], "turns": []}]"#.utf8,
        to: folder + "/twice.json")
      expectFailure(
        try Tool("vl2").run([
          "trace", "--model", "x", "--cases", folder + "/twice.json", "-o", folder + "/out",
        ]), status: 65, naming: "several cases have one name")
    }
  }

  /// What is remembered between runs replaces nothing either.
  @Test func remembering() throws {
    try withInputs { folder in
      let cache = folder + "/cache/vl2"
      try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
      let schema = cache + "/speeds.json"
      try write(#"{"type": "null"}"#.utf8, to: schema)
      // A deadline has the machine measured, and that remembered.
      let words = [
        "ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "9", "--deadline", "60",
        folder + "/a.png",
      ]
      let run = try Tool("vl2").run(
        words + ["--schema", schema, "Which?"], environment: ["XDG_CACHE_HOME": folder + "/cache"])
      #expect(run.status == 0 && run.output == "null\n", "\(run.errors)")
      #expect(try String(contentsOfFile: schema, encoding: .utf8) == #"{"type": "null"}"#)
      // Where it is not read, it is a list of speeds again.
      _ = try Tool("vl2").run(
        words + ["Which?"], environment: ["XDG_CACHE_HOME": folder + "/cache"])
      #expect(try String(contentsOfFile: schema, encoding: .utf8).contains("prompt"))
    }
  }

  /// An option that names a file is in one of these lists, so that a new output is held against them too.
  @Test func theTableIsWhole() throws {
    let read: Set = [
      "model", "schema", "items", "against", "images", "questions", "cases", "api-key-file", "recipe", "base",
      "tokenizer", "watch", "tsv", "calibration", "text", "add", "perplexity",
    ]
    let written: Set = ["draw", "answers", "routes", "output", "plot"]
    // Files go there, and are removed there, that have names of their own (FrameKeeperTests).
    let folders: Set = ["keep-frames"]
    var found: Set<String> = []
    for program in ["vl2", "vl2-convert"] {
      for option in try OptionLists(program).options where option.namesFile { found.insert(option.name) }
    }
    #expect(found == read.union(written).union(folders))
    for option in written where option != "output" {
      #expect(Self.outputs.contains { $0.words.contains("--" + option) }, "\(option)")
    }
  }
}

import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant
import VL2Run

/// What can be done about an error is told apart from the error: the library speaks of settings, the command line of its
/// options.
@Suite struct ErrorHintTests {
  /// Every error with a setting in its hint.
  private static let errors: [any ReportableError] = [
    SchemaError.budget("s.json", tokens: 1, least: 9),
    MemoryBudgetError.tooSmall(path: "m.vl2q", bytes: 1 << 20, smallest: 420 << 20),
    MemoryBudgetError.request(bytes: 420 << 20, needed: 500 << 20),
    CheckpointError.missingFile(path: "c/config.json"), CheckpointError.adapter(path: "c"),
    PackedFileError.otherWork(path: "m.part", difference: "the codes are chosen otherwise", setting: .codes),
    PackedFileError.otherWork(path: "m.part", difference: "\"LICENSE\" has changed", setting: nil),
    PackedFileError.notPacked(path: "m.vl2q"), PackedFileError.folder(path: "m", isCheckpoint: true),
    PackedFileError.otherKind(path: "m", kind: .safetensors),
  ]

  @Test(arguments: errors) func aLibraryKnowsNoOptions(_ error: any ReportableError) {
    #expect(error.description == "\(error.problem); \(error.hint.text())")
    #expect(!error.description.contains("--") && !error.description.contains("vl2 "), "\(error)")
    #expect(!error.description.contains("vl2-convert"), "\(error)")
    #expect(error.line { _, value in "NAME" + (value ?? "") }.contains("NAME"), "\(error)")
  }

  @Test func lines() {
    #expect(
      SchemaError.budget("s.json", tokens: 1, least: 9).description
        == "s.json: the shortest text takes 9 tokens, and 1 may be written; raise the limit of tokens")
    let small = MemoryBudgetError.tooSmall(path: "m.vl2q", bytes: 1 << 20, smallest: 420 << 20)
    #expect(small.problem == "m.vl2q: 1M of memory are too few for this model")
    #expect(small.hint.text() == "the smallest that works is memory of 420M")
    #expect(
      small.line { setting, value in "\(setting.rawValue)=\(value ?? "")" }
        == "m.vl2q: 1M of memory are too few for this model; the smallest that works is memory=420M")
    // Without a hint a line is the problem alone.
    let schema = SchemaError.malformed(file: "s.json", path: "#/type", problem: "3 is no type")
    #expect(schema.hint.isEmpty && schema.description == "s.json: #/type: 3 is no type")
  }

  @Test(arguments: Setting.allCases) func namesOfSettings(_ setting: Setting) {
    #expect(Hint("raise \(setting)").text() == "raise \(setting.rawValue)")
    #expect(Hint("raise \(setting, "9")").text() == "raise \(setting.rawValue) of 9")
    #expect(!setting.rawValue.contains("-") && setting.rawValue.first?.isLowercase == true)
  }

  private struct Case {
    var program: String
    var words: [String]
    /// The end of the line.
    var hint: String
  }

  /// A command that fails with such an error; nil where a test cannot have one.
  private static func failure(_ kind: ErrorKind, _ folder: String) throws -> Case? {
    let model = try PackedModels.path("nano-mha", .q4)
    switch kind {
    case .usage:
      let schema = folder + "/s.json"
      try write(#"{"type": "array", "items": {"type": "null"}, "minItems": 50}"#.utf8, to: schema)
      return Case(
        program: "vl2", words: ["ask", "--model", model, "--schema", schema, "--max-tokens", "2", "Which?"],
        hint: "tokens, and 2 may be written; raise --max-tokens")
    case .badData:
      return Case(
        program: "vl2", words: ["ask", "--model", Fixtures.path("golden/cases.json"), "Which?"],
        hint: ": this is a JSON text, not a packed model; make one with vl2-convert pack CHECKPOINT -o FILE")
    case .noInput:
      return Case(
        program: "vl2-convert", words: ["pack", folder, "-o", folder + "/x"],
        hint: "may come from the model it was made from: --base FOLDER")
    case .tooLittleMemory:
      return Case(
        program: "vl2", words: ["ask", "--model", model, "--memory", "1M", "Which?"],
        hint: "M")
    case .inputOutput:
      return Case(
        program: "vl2-convert",
        words: ["synthesize", "tiny", "-o", folder + "/none/x"],
        hint: "cannot be written: no such folder; give a path in one that exists")
    case .busy:
      return Case(
        program: "vl2-convert",
        words: ["pack", Fixtures.checkpoint("nano-mha"), "-o", folder + "/busy"],
        hint: ": another program is writing it; wait until that ends")
    case .unavailable, .cancelled: return nil
    }
  }

  @Test(arguments: [
    (ErrorKind.usage, Int32(64)), (.badData, 65), (.noInput, 66), (.tooLittleMemory, 69), (.inputOutput, 74),
    (.busy, 75),
  ])
  func statuses(kind: ErrorKind, status: Int32) throws {
    try withTemporaryFolder { folder in
      let writer = try PackedFileWriter(path: folder + "/busy")
      let failure = try #require(try Self.failure(kind, folder))
      let run = try Tool(failure.program).run(failure.words)
      #expect(run.status == status, "\(run.errors)")
      #expect(run.errors.hasSuffix(failure.hint + "\n"), "\(run.errors)")
      #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
      withExtendedLifetime(writer) {}
    }
  }

  /// What a command line says where the library speaks of a setting.
  @Test func namesOfOptions() throws {
    try withTemporaryFolder { folder in
      let golden = Fixtures.checkpoint("nano-mha")
      func expect(_ program: String, _ words: [String], _ status: Int32, _ hint: String) throws {
        let run = try Tool(program).run(words)
        #expect(run.status == status && run.errors.hasSuffix(hint + "\n"), "\(run.errors)")
      }
      let recipe = folder + "/recipe.json"
      try expect(
        "vl2-convert", ["pack", golden, "-o", folder + "/x", "--recipe", recipe], 66,
        "recipe.json: no such file; begin with what 'vl2-convert inspect --recipe' prints")
      try write(#"[{"pattern": "nothing", "code": "q4"}]"#.utf8, to: recipe)
      try expect(
        "vl2-convert", ["pack", golden, "-o", folder + "/x", "--recipe", recipe], 65,
        "matches no tensor of this model; 'vl2-convert inspect FILE --json' lists their names")
      try expect(
        "vl2", ["replay", folder + "/none"], 66,
        "none: no such file, or not readable; give a file of vl2 trace --routes")
      let small = try Tool("vl2").run([
        "ask", "--model", try PackedModels.path("nano-mha", .q4), "--memory", "1M", "Which?",
      ])
      #expect(small.errors.contains("; the smallest that works is --memory "), "\(small.errors)")

      // As on a full disk; then other choices do not go on with what is there.
      let pack = ["pack", golden, "-o", folder + "/model.vl2q"]
      #expect(try Tool("vl2-convert").run(pack, largestFile: 300 * 1024).status == 74)
      let end = ", or pack without --resume to begin anew"
      try expect(
        "vl2-convert", pack + ["--resume", "--weights", "int8"], 65,
        "the codes are chosen otherwise; give the same --recipe or --weights" + end)
      try expect(
        "vl2-convert", pack + ["--resume", "--sections", "zstd"], 65,
        "sections are encoded otherwise; give the same --sections" + end)
    }
  }
}

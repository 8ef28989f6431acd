import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// `vl2-convert` as a user meets it: output, exit status, one line for each error, nothing lost.
@Suite struct ConvertCommandTests {
  private let tool = Tool("vl2-convert")
  private let golden = Fixtures.checkpoint("nano-mha")

  @Test func packInspectVerifyDequantize() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let pack = try tool.run(["pack", golden, "-o", model, "--weights", "int8", "--threads", "3"])
      #expect(pack.status == 0, "\(pack.errors)")
      // Nothing but the file: progress belongs on a terminal.
      #expect(pack.output.isEmpty && pack.errors.isEmpty)
      let file = try PackedFile(path: model)
      #expect(try file.manifest.sections == PackedModels.sections("nano-mha", .int8))
      #expect(file.manifest.origin.tool.hasPrefix("vl2-convert "))

      let verify = try tool.run(["verify", model])
      #expect(verify.status == 0)
      #expect(verify.output == "\(model): \(file.manifest.sections.count) sections, all good\n")
      #expect(verify.errors.isEmpty)

      let inspect = try tool.run(["inspect", model])
      #expect(inspect.status == 0)
      for part in ["nano-mha", "experts", "int8", "vision.attn_pool.latent", "* int8", "share"] {
        #expect(inspect.output.contains(part), "\(part)")
      }

      let back = try tool.run(["dequantize", model, "-o", folder + "/back"])
      #expect(back.status == 0, "\(back.errors)")
      #expect(try Checkpoint(folder: folder + "/back").config == file.config)
    }
  }

  @Test func inspectTellsWhatADemonstrationModelSays() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      try copy.changeJSON("config.json") { $0["vl2_demonstration"] = "I know nine pictures." }
      try copy.write(to: folder + "/nine")
      let model = folder + "/nine.vl2q"
      #expect(try tool.run(["pack", folder + "/nine", "-o", model]).status == 0)
      #expect(
        try tool.run(["inspect", model]).output.contains("demonstration model: I know nine pictures.\n"))
      let json = try tool.run(["inspect", model, "--json"]).output
      #expect(json.contains("\"demonstration_note\" : \"I know nine pictures.\""))
    }
  }

  @Test func recipes() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let standard = try tool.run(["inspect", "--recipe"])
      #expect(standard.status == 0 && standard.output == Recipe(matrices: .q4).json)
      let recipe = folder + "/recipe.json"
      let rules = Recipe(rules: [
        RecipeRule(pattern: "vision.*", code: .int8), RecipeRule(pattern: "*", code: .bf16),
      ])
      try write(Array(rules.json.utf8), to: recipe)
      #expect(try tool.run(["pack", golden, "-o", model, "--recipe", recipe]).status == 0)
      let file = try PackedFile(path: model)
      #expect(file.manifest.recipe == rules.rules)
      let codes = Dictionary(
        uniqueKeysWithValues: file.manifest.sections.flatMap(\.tensors).map { ($0.name, $0.code) })
      #expect(codes["vision.blocks.0.attn.qkv.weight"] == .int8 && codes["language.lm_head.weight"] == .bf16)
      #expect(codes["language.model.layers.1.mlp.gate.weight"] == .f32)
      #expect(try tool.run(["inspect", model, "--recipe"]).output == rules.json)

      try write(Array("[{\"pattern\": \"vison.*\", \"code\": \"q4\"}]".utf8), to: recipe)
      expectFailure(
        try tool.run(["pack", golden, "-o", model, "--recipe", recipe]), status: 65,
        naming: "rule 1, \"vison.*\", matches no tensor")
      expectFailure(
        try tool.run(["pack", golden, "-o", model, "--recipe", folder + "/none"]), status: 66, naming: "/none"
      )
    }
  }

  @Test func aBaseModelAndAnAdapter() throws {
    try withTemporaryFolder { folder in
      let copy = try CheckpointCopy()
      try copy.write(to: folder + "/tuned")
      for name in copy.texts.keys { try FileManager.default.removeItem(atPath: folder + "/tuned/" + name) }
      let words = ["pack", folder + "/tuned", "-o", folder + "/model.vl2q"]
      expectFailure(try tool.run(words), status: 66, naming: "--base FOLDER")
      #expect(try tool.run(words + ["--base", golden]).status == 0)
      let inspect = try tool.run(["inspect", folder + "/model.vl2q"]).output
      #expect(inspect.contains("from tuned on nano-mha by vl2-convert"))
      #expect(inspect.contains("tokenizer.json (of the base model)"))
      try write(Array("{}".utf8), to: folder + "/adapter_config.json")
      expectFailure(
        try tool.run(["pack", folder, "-o", folder + "/model.vl2q"]), status: 65, naming: "an adapter (LoRA)")
    }
  }

  /// Colours and bars that move are for terminals.
  @Test func nothingMovesInAPipe() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      for words in [["pack", golden, "-o", model], ["verify", model], ["inspect", model]] {
        let run = try tool.run(words)
        #expect(run.status == 0 && run.errors.isEmpty && !run.output.contains("\u{1B}"))
      }
    }
  }

  @Test func inspectJSON() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let run = try tool.run(["inspect", model, "--json"])
    let object = try jsonObject(run.output)
    let length = try FileManager.default.attributesOfItem(atPath: model)[.size] as? Int
    #expect(object["bytes"] as? Int == length)
    #expect(object["format_version"] as? Int == PackedFile.formatVersion)
    let origin = try #require(object["origin"] as? [String: Any])
    #expect(origin["source"] as? String == "nano-mha")
    let codes = try #require(object["codes"] as? [[String: Any]])
    let experts = try #require(codes.first { $0["part"] as? String == "experts" })
    #expect(experts["code"] as? String == "q4")
    #expect(experts["tensors"] as? Int == 48)
    #expect(experts["weights"] as? Int == 48 * 96 * 128)
    let error = try #require(experts["error_ppm"] as? Int)
    #expect((10_000..<76_400).contains(error))
    let sections = try #require(object["sections"] as? [[String: Any]])
    let names = try PackedFile(path: model).manifest.sections.map(\.name)
    #expect(sections.map { $0["name"] as? String } == names)
    #expect(jsonKeys(object).allSatisfy(isSnakeCase))
    let total = codes.compactMap { $0["weights"] as? Int }.reduce(0, +)
    #expect(object["weights"] as? Int == total)
  }

  /// Text from a checkpoint moves no terminal's cursor.
  @Test func controlCharacters() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      copy.texts["LICENSE"] = Array("Use\u{1B}[2J it\u{9B}H \u{202E}well.".utf8)
      try copy.changeJSON("config.json") { $0["vl2_demonstration"] = "I know\u{1B}[2J \u{9B}little." }
      try copy.write(to: folder + "/model")
      let model = folder + "/model.vl2q"
      #expect(try tool.run(["pack", folder + "/model", "-o", model]).status == 0)
      for words in [["inspect", model], ["inspect", model, "--json"], ["inspect", model, "--recipe"]] {
        let run = try tool.run(words)
        #expect(run.status == 0)
        #expect(run.output.unicodeScalars.allSatisfy { !$0.breaksLine || $0 == "\n" }, "\(words)")
      }
      #expect(try tool.run(["inspect", model]).output.contains("Use [2J it H  well."))
      #expect(try tool.run(["inspect", model]).output.contains("I know [2J  little."))
    }
  }

  @Test func compressedSections() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let run = try tool.run(["pack", golden, "-o", model, "--weights", "bf16", "--sections", "zstd"])
      #expect(run.status == 0, "\(run.errors)")
      let encodings = try PackedFile(path: model).manifest.sections.map(\.encoding)
      #expect(encodings.contains(.zstd))
      #expect(try tool.run(["verify", model]).status == 0)
    }
  }

  @Test func unexpectedTensorsGetAWord() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      copy.tensors.append(.init(name: "extra", type: "I8", shape: [3], bytes: [1, 2, 3]))
      try copy.write(to: folder + "/model")
      let run = try tool.run(["pack", folder + "/model", "-o", folder + "/model.vl2q"])
      #expect(run.status == 0)
      #expect(
        run.errors == "vl2-convert: \(folder)/model: extra is used by no forward pass and was left out\n")
    }
  }

  @Test func usage() throws {
    for words in [
      ["pack"], ["pack", golden], ["pack", golden, "-o", "x", "--weights", "q3"], ["what"],
      ["pack", golden, "-o", "x", "--threads", "0"], ["pack", golden, "-o", "x", "--sections", "gzip"],
      ["synthesize", "huge", "-o", "x"], ["inspect"], ["inspect", "x", "--json", "--recipe"],
      ["pack", golden, "-o", "x", "--recipe", "r", "--weights", "q4"],
      ["dequantize", "x", "-o", "y", "--threads", "-1"],
    ] {
      let run = try tool.run(words)
      #expect(run.status == 64, "\(words)")
      #expect(!run.errors.isEmpty)
    }
    let version = try tool.run(["--version"])
    #expect(version.status == 0)
    #expect(version.output.split(separator: ".").count == 3)
  }

  @Test func failures() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let missing = folder + "/missing"
      expectFailure(try tool.run(["pack", missing, "-o", model]), status: 66, naming: missing)
      expectFailure(try tool.run(["inspect", missing]), status: 66, naming: missing)
      expectFailure(try tool.run(["verify", missing]), status: 66, naming: missing)
      expectFailure(
        try tool.run(["dequantize", missing, "-o", folder + "/back"]), status: 66, naming: missing)
      expectFailure(
        try tool.run(["pack", golden, "-o", missing + "/model.vl2q"]), status: 74,
        naming: missing + "/model.vl2q")
      expectFailure(
        try tool.run(["inspect", golden + "/config.json"]), status: 65, naming: "not a packed model")
      expectFailure(
        try tool.run(["synthesize", "tiny", "-o", model, "--tokenizer", missing]), status: 66, naming: missing
      )

      var bytes = try PackedModels.copy("nano-mha", to: model)
      expectFailure(
        try tool.run(["dequantize", model, "-o", folder]), status: 64, naming: "not an empty folder")
      let entry = try #require(
        PackedFile(path: model).manifest.sections.first { $0.name == "layer.1.expert.5" })
      bytes[entry.offset + 1234] ^= 4
      try write(bytes, to: model)
      expectFailure(
        try tool.run(["verify", model]), status: 65, naming: "section layer.1.expert.5 is damaged")
      expectFailure(
        try tool.run(["dequantize", model, "-o", folder + "/back"]), status: 65, naming: "layer.1.expert.5")
      #expect(!FileManager.default.fileExists(atPath: folder + "/back"))
    }
  }
}

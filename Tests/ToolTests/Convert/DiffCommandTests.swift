import TestModels
import TestSupport
import Testing
import VL2Quant

/// `vl2-convert diff` as a user meets it.
@Suite struct DiffCommandTests {
  private let tool = Tool("vl2-convert")

  @Test func theSame() throws {
    try withTemporaryFolder { folder in
      let golden = Fixtures.checkpoint("nano-mha")
      try packed(golden, to: folder + "/a.vl2q", threads: 1)
      try packed(golden, to: folder + "/b.vl2q", threads: 3)
      let run = try tool.run(["diff", folder + "/a.vl2q", folder + "/b.vl2q"])
      #expect(run.status == 0 && run.errors.isEmpty)
      #expect(run.output == "\(folder)/a.vl2q and \(folder)/b.vl2q are the same\n")
      let json = try tool.run(["diff", folder + "/a.vl2q", folder + "/b.vl2q", "--json"])
      #expect(json.status == 0)
      #expect(try jsonObject(json.output)["same"] as? Bool == true)
    }
  }

  @Test func codes() throws {
    let words = [
      "diff", try PackedModels.path("nano-mha", .q4),
      try PackedModels.path("nano-mha", .int8, compression: .whereUseful),
    ]
    let run = try tool.run(words)
    #expect(run.status == 1 && run.errors.isEmpty)
    for part in ["  A  * q4", "  B  * int8", "sections stored as zstd", "MiB A", "error B"] {
      #expect(run.output.contains(part), "\(part)")
    }
    let json = try jsonObject(tool.run(words + ["--json"]).output)
    // No object in it has names of tensors or files as keys.
    #expect(jsonKeys(json).allSatisfy(isSnakeCase))
    let groups = try #require(json["groups"] as? [[String: Any]])
    let experts = try #require(groups.first { $0["part"] as? String == "experts" })
    #expect(experts["code_a"] as? String == "q4" && experts["code_b"] as? String == "int8")
    #expect(experts["tensors"] as? Int == 48 && experts["differing"] as? Int == 48)
    let errors = (experts["error_ppm_a"] as? Int ?? 0, experts["error_ppm_b"] as? Int ?? 0)
    #expect(errors.0 > 5 * errors.1 && errors.1 > 0)
    let plain = try #require(groups.first { $0["code_a"] as? String == "plain" })
    #expect(plain["differing"] as? Int == 0)
    // Embeddings are int8 in both.
    #expect(
      (json["tensors"] as? [[String: Any]])?.contains {
        $0["name"] as? String == "language.model.embed_tokens.weight"
      } == false)
    #expect((json["config"] as? [Any])?.isEmpty == true && (json["origin"] as? [Any])?.isEmpty == true)
  }

  /// One weight, one key and one text are found.
  @Test func whatChangedInACheckpoint() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      try copy.write(to: folder + "/model")
      try packed(folder + "/model", to: folder + "/a.vl2q")
      copy.change("language.model.layers.1.mlp.experts.3.down_proj.weight") { $0.bytes[101] ^= 0x40 }
      try copy.changeJSON("config.json") { config in
        var language = config["language_config"] as? [String: Any] ?? [:]
        language["rope_theta"] = 12345
        language["max_position_embeddings"] = nil
        config["language_config"] = language
      }
      copy.texts["LICENSE"] = Array("Use\u{1B}[2J it well.".utf8)
      try copy.write(to: folder + "/model")
      try packed(folder + "/model", to: folder + "/b.vl2q")
      let words = ["diff", folder + "/a.vl2q", folder + "/b.vl2q"]
      let run = try tool.run(words)
      #expect(run.status == 1)
      #expect(!run.output.contains("\u{1B}"))
      for part in ["language_config.rope_theta", "12345", "SHA-256 of model-1-of-1.safetensors", "licence"] {
        #expect(run.output.contains(part), "\(part)")
      }
      #expect(run.output.contains("Use [2J it well."))
      let json = try jsonObject(tool.run(words + ["--json"]).output)
      #expect(jsonKeys(json).allSatisfy(isSnakeCase))
      let tensors = try #require(json["tensors"] as? [[String: Any]])
      #expect(
        tensors.map { $0["name"] as? String } == ["language.model.layers.1.mlp.experts.3.down_proj.weight"])
      let config = try #require(json["config"] as? [[String: Any]])
      let removed = try #require(
        config.first { $0["what"] as? String == "config.json: language_config.max_position_embeddings" })
      #expect(removed["a"] != nil && removed["b"] == nil)
    }
  }

  /// Gate and up alternate where they have one code, which moves their blocks and changes no weight.
  @Test func theSameWeightsInOtherPlaces() throws {
    try withTemporaryFolder { folder in
      for (name, up) in [("a", WeightCode.int8), ("b", .bf16)] {
        let recipe = Recipe(rules: [
          RecipeRule(pattern: "*.up_proj.weight", code: up), RecipeRule(pattern: "*", code: .int8),
        ])
        try packed(Fixtures.checkpoint("nano-mha"), to: "\(folder)/\(name).vl2q", recipe)
      }
      let json = try jsonObject(tool.run(["diff", folder + "/a.vl2q", folder + "/b.vl2q", "--json"]).output)
      let names = try #require(json["tensors"] as? [[String: Any]]).compactMap { $0["name"] as? String }
      #expect(!names.isEmpty && names.allSatisfy { $0.hasSuffix("up_proj.weight") })
    }
  }

  @Test func otherModels() throws {
    try withTemporaryFolder { folder in
      let model = try PackedModels.path("nano-mha", .q4)
      try SyntheticModel.write(folder + "/b.vl2q")
      let run = try tool.run(["diff", model, folder + "/b.vl2q"])
      #expect(run.status == 1 && run.output.contains("in A only"))
      #expect(run.output.contains("and ") && run.output.contains("more, which --json prints"))
      let missing = try tool.run(["diff", model, folder + "/none.vl2q"])
      #expect(missing.status == 66 && missing.output.isEmpty && missing.errors.contains("none.vl2q"))
    }
  }
}

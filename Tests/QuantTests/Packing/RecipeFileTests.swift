import TestSupport
import Testing
import VL2Quant

@Suite struct RecipeFileTests {
  private static let golden = Fixtures.checkpoint("nano-mha")

  private func recipe(_ text: String) throws -> RecipeFile {
    try withTemporaryFolder { folder in
      try write(Array(text.utf8), to: folder + "/recipe.json")
      return try RecipeFile(contentsOf: folder + "/recipe.json")
    }
  }

  @Test(arguments: [WeightCode.q4, .int8, .bf16])
  func whatIsPrintedIsRead(_ code: WeightCode) throws {
    let standard = Recipe(matrices: code)
    let file = try recipe(standard.json)
    #expect(file.recipe == standard)
    let config = try Checkpoint(folder: Self.golden).config
    #expect(throws: Never.self) { try file.check(for: config) }
    let odd = Recipe(rules: [RecipeRule(pattern: "a\"\\\n*", code: .bf16)])
    #expect(try recipe(odd.json).recipe == odd)
    #expect(try recipe("\u{FEFF}" + odd.json).recipe == odd)
  }

  @Test(arguments: [
    ("", "not JSON"), ("{}", "a list of"), ("[]", "a list of"), ("[\"q4\"]", "rule 1 is \"q4\""),
    (
      "[{\"pattern\": \"*\", \"code\": \"q3\"}]",
      "rule 1 has the code \"q3\"; choose one of f32, bf16, int8, q4"
    ),
    ("[{\"pattern\": \"*\", \"code\": \"plain\"}]", "rule 1 has the code \"plain\""),
    ("[{\"pattern\": \"*\", \"code\": \"q4\"}, {\"pattern\": \"*\"}]", "rule 2 has no code"),
    ("[{\"code\": \"q4\"}]", "rule 1 has no pattern"),
    ("[{\"pattern\": \"\", \"code\": \"q4\"}]", "no pattern"),
    ("[{\"pattern\": 1, \"code\": \"q4\"}]", "rule 1 has 1 for pattern"),
    ("[{\"patern\": \"*\", \"code\": \"q4\"}]", "rule 1 has the key \"patern\""),
    ("[{\"pattern\": \"*\", \"code\": \"q4\", \"pattern\": \"*\"}]", "comes twice"),
  ])
  func texts(_ text: String, problem: String) throws {
    let error = try #require(reported { _ = try recipe(text) })
    #expect(error.kind == .badData)
    #expect(error.description.contains("recipe.json: ") && error.description.contains(problem), "\(error)")
    #expect(!error.description.contains("\n"))
  }

  @Test func files() throws {
    try withTemporaryFolder { folder in
      let missing = try #require(reported { _ = try RecipeFile(contentsOf: folder + "/none.json") })
      #expect(missing.kind == .noInput && missing.description.contains("the recipe of a packed file"))
      let directory = try #require(reported { _ = try RecipeFile(contentsOf: folder) })
      #expect(directory.description.hasPrefix(folder))
      try write([UInt8](repeating: 0x20, count: 2 << 20), to: folder + "/long.json")
      #expect(reported { _ = try RecipeFile(contentsOf: folder + "/long.json") }?.kind == .badData)
    }
  }

  /// Rules that would change nothing are slips of the pen.
  @Test(arguments: [
    (["vision.block.*"], "matches no tensor"), (["*norm1.weight"], "matches vectors alone"),
    (["vision.*", "vision.blocks.0.*"], "never reached"), (["*.mlp.gate.weight"], "matches routers alone"),
    (["*", "vision.*"], "never reached"),
  ])
  func rulesWithoutEffect(_ patterns: [String], problem: String) throws {
    let config = try Checkpoint(folder: Self.golden).config
    let rules = patterns.map { RecipeRule(pattern: $0, code: .int8) } + [RecipeRule(pattern: "*", code: .q4)]
    let error = try #require(reported { try recipe(Recipe(rules: rules).json).check(for: config) })
    #expect(error.kind == .badData && error.description.contains(problem), "\(error)")
    #expect(
      error.description.contains("rule \(patterns.count), \"\(patterns[patterns.count - 1])\""), "\(error)")
  }

  @Test func aMatrixWithoutARule() throws {
    let config = try Checkpoint(folder: Self.golden).config
    let file = try recipe(Recipe(rules: [RecipeRule(pattern: "language.*", code: .q4)]).json)
    #expect(throws: PackingError.noCode(tensor: "vision.patch_embed.proj.weight")) {
      try file.check(for: config)
    }
    // A router needs none, and a last rule for everything else may be idle.
    let all = ["language.*", "vision.*", "projector.*", "*"].map { RecipeRule(pattern: $0, code: .bf16) }
    #expect(throws: Never.self) { try recipe(Recipe(rules: all).json).check(for: config) }
  }
}

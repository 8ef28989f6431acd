import TestSupport
import Testing
import VL2Quant

// The example of Sources/VL2Quant/VL2Quant.docc, word for word.
// example begins
func pack(_ folder: String, to path: String) throws -> [String: Int] {
  let recipe = Recipe(rules: [
    RecipeRule(pattern: "vision.*", code: .int8),
    RecipeRule(pattern: "*", code: .q4),
  ])
  let packer = ModelPacker(recipe: recipe, compression: .never, threads: 4, tool: "my-tool 1.0")
  try packer.pack(Checkpoint(folder: folder), to: path)

  let file = try PackedFile(path: path)
  try file.verify()
  // The error of each matrix, in parts per million of its weights' root mean square.
  let tensors = file.manifest.sections.flatMap(\.tensors).filter { $0.code != .plain }
  return Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.errorPPM) })
}
// example ends

@Suite struct DocumentedExampleTests {
  /// The example does what it says: vision has int8 codes, which lose less than the 4-bit ones of experts.
  @Test func works() throws {
    try withTemporaryFolder { folder in
      let errors = try pack(Fixtures.checkpoint("nano-mha"), to: folder + "/model.vl2q")
      let vision = try #require(errors["vision.blocks.0.attn.qkv.weight"])
      let expert = try #require(errors["language.model.layers.1.mlp.experts.0.up_proj.weight"])
      #expect(0 < vision && 5 * vision < expert)
    }
  }

  @Test(.enabled(if: sourcesAreAtHand, "the sources are not at hand"))
  func thePageShowsTheSame() throws {
    #expect(try shows("Sources/VL2Quant/VL2Quant.docc/VL2Quant.md", exampleOf: #filePath))
  }
}

import Testing
import VL2Quant

@Suite struct RecipeTests {
  @Test func patterns() {
    func matches(_ pattern: String, _ name: String) -> Bool {
      RecipeRule(pattern: pattern, code: .q4).matches(name)
    }
    #expect(matches("*", ""))
    #expect(matches("*", "anything.at.all"))
    #expect(matches("", ""))
    #expect(!matches("", "a"))
    #expect(matches("layers.*.weight", "layers.12.mlp.weight"))
    #expect(!matches("layers.*.weight", "layers.12.mlp.weights"))
    #expect(!matches("layers.*.weight", "my.layers.12.weight"))
    #expect(matches("*ab*ab", "abxab"))
    #expect(matches("*ab*ab", "ababab"))
    #expect(!matches("*ab*ab", "ab"))
    #expect(matches("a**b", "ab"))
    #expect(!matches("a?c", "abc"))
    // Ends soon although there are many ways to place the stars.
    let many = String(repeating: "a*", count: 40) + "b"
    #expect(!matches(many, String(repeating: "a", count: 5000)))
  }

  @Test func firstRuleDecides() {
    let recipe = Recipe(rules: [
      RecipeRule(pattern: "*.gate.weight", code: .f32), RecipeRule(pattern: "vision.*", code: .int8),
      RecipeRule(pattern: "vision.blocks.0.*", code: .bf16),
    ])
    #expect(recipe.code(for: "vision.gate.weight") == .f32)
    #expect(recipe.code(for: "vision.blocks.0.attn.qkv.weight") == .int8)
    #expect(recipe.code(for: "projector.layers.0.weight") == nil)
  }

  @Test(arguments: [(WeightCode.q4, WeightCode.int8), (.int8, .int8), (.bf16, .bf16)])
  func standardRecipe(_ code: WeightCode, embedding: WeightCode) {
    let recipe = Recipe(matrices: code)
    #expect(recipe.code(for: "language.model.layers.3.mlp.gate.weight") == .f32)
    #expect(recipe.code(for: "language.model.layers.3.mlp.shared_experts.gate_proj.weight") == code)
    #expect(recipe.code(for: "language.model.embed_tokens.weight") == embedding)
    #expect(recipe.code(for: "language.lm_head.weight") == code)
    #expect(recipe.code(for: "vision.patch_embed.proj.weight") == code)
  }
}

import Foundation
import TestSupport
import Testing
import VL2Quant

/// The example of the library's documentation, which has to compile and to do what it says.
@Suite struct DocumentedExampleTests {
  // The lines between the marks are those of Sources/VL2Quant/VL2Quant.docc/VL2Quant.md.
  // begin
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
  // end

  @Test func theExampleWorks() throws {
    try withTemporaryFolder { folder in
      let errors = try pack(Fixtures.checkpoint("nano-mha"), to: folder + "/model.vl2q")
      let vision = try #require(errors["vision.blocks.0.attn.qkv.weight"])
      let expert = try #require(errors["language.model.layers.1.mlp.experts.0.up_proj.weight"])
      #expect(0 < vision && 5 * vision < expert)
    }
  }

  /// Where the sources are at hand: tests built for another machine run without them.
  private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../Sources/VL2Quant/VL2Quant.docc/VL2Quant.md")

  @Test(.enabled(if: FileManager.default.fileExists(atPath: #filePath), "the sources are not at hand"))
  func thePageShowsTheSame() throws {
    let lines = try String(contentsOfFile: #filePath, encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false)
    let begin = try #require(lines.firstIndex(of: "  // begin"))
    let end = try #require(lines.firstIndex(of: "  // end"))
    let example = lines[(begin + 1)..<end].map { $0.dropFirst(2) }.joined(separator: "\n")
    let text = try String(contentsOf: Self.page, encoding: .utf8)
    #expect(text.contains("```swift\n" + example + "\n```"))
  }
}

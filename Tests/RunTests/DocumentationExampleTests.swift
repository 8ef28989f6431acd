import Foundation
import TestSupport
import Testing
import VL2Run

// The example of Sources/VL2Run/VL2Run.docc, word for word.
// example begins
func describe(_ photo: String, with packedModel: String) throws -> [GroundedSpan] {
  let model = try Model(path: packedModel)
  let session = Session(model, caches: true)
  var request = Session.Request(
    turns: [Turn(role: .user, text: "Where is the dog?")],
    pictures: [try Picture(contentsOf: photo)],
    maxTokens: 64)
  request.sampling = Sampling(temperature: 0.7, topP: 0.9, seed: 1)
  let answer = try session.answer(request) { piece in
    print(piece, terminator: "")
    return true
  }
  return Grounding(answer.text).spans
}
// example ends

@Suite struct DocumentationExampleTests {
  /// The example runs, on a model of random weights that sees no dog.
  @Test func runs() throws {
    let spans = try describe(
      Fixtures.path("golden/images/small.png"), with: try PackedModels.path("nano-mha", .q4))
    #expect(spans.isEmpty)
  }

  /// The documentation shows what is compiled here. Skipped where the sources are not at hand.
  @Test func isTheDocumentedOne() throws {
    let here = URL(fileURLWithPath: #filePath)
    let page = here.deletingLastPathComponent().appendingPathComponent(
      "../../Sources/VL2Run/VL2Run.docc/VL2Run.md")
    guard let source = try? String(contentsOf: here, encoding: .utf8),
      let text = try? String(contentsOf: page, encoding: .utf8)
    else { return }
    let code = try #require(source.components(separatedBy: "// example begins\n").dropFirst().first)
    let example = try #require(code.components(separatedBy: "// example ends").first)
    #expect(example.contains("session.answer") && text.contains("```swift\n\(example)```"))
  }
}

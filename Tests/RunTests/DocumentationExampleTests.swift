import Foundation
import TestModels
import TestSupport
import Testing
import VL2Run

// The example of Sources/VL2Run/VL2Run.docc, word for word.
// example begins
func describe(
  _ photo: String, with packedModel: String, show: (String) -> Void
) throws -> [GroundedSpan] {
  let model = try Model(path: packedModel)
  let session = Session(model, caches: true)
  var request = Session.Request(
    turns: [Turn(role: .user, text: "Where is the dog?")],
    pictures: [try Picture(contentsOf: photo)],
    maxTokens: 64)
  request.sampling = Sampling(temperature: 0.7, topP: 0.9, seed: 1)
  let answer = try session.answer(request) { piece in
    show(piece)
    return true
  }
  return Grounding(answer.text).spans
}
// example ends

@Suite struct DocumentationExampleTests {
  /// The example runs, on a model of random weights that sees no dog.
  @Test func runs() throws {
    var shown = ""
    let spans = try describe(
      Fixtures.path("golden/images/small.png"), with: try PackedModels.path("nano-mha", .q4)
    ) { shown += $0 }
    #expect(spans.isEmpty)
    #expect(!shown.isEmpty)
  }

  /// The documentation shows what is compiled here, where the sources are at hand: tests built for another machine run
  /// without them.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: #filePath), "the sources are not at hand"))
  func isTheDocumentedOne() throws {
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let page = folder.appendingPathComponent("../../Sources/VL2Run/VL2Run.docc/VL2Run.md")
    let text = try String(contentsOf: page, encoding: .utf8)
    let code = try #require(source.components(separatedBy: "// example begins\n").dropFirst().first)
    let example = try #require(code.components(separatedBy: "// example ends").first)
    #expect(example.contains("session.answer") && text.contains("```swift\n\(example)```"))
  }
}

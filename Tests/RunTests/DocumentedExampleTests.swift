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

@Suite struct DocumentedExampleTests {
  /// The example runs, on a model of random weights that sees no dog.
  @Test func runs() throws {
    var shown = ""
    let spans = try describe(
      Fixtures.path("golden/images/small.png"), with: try PackedModels.path("nano-mha", .q4)
    ) { shown += $0 }
    #expect(spans.isEmpty)
    #expect(!shown.isEmpty)
  }

  @Test(.enabled(if: sourcesAreAtHand, "the sources are not at hand"))
  func thePageShowsTheSame() throws {
    #expect(try shows("Sources/VL2Run/VL2Run.docc/VL2Run.md", exampleOf: #filePath))
  }
}

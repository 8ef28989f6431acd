import TestModels
import TestSupport
import Testing

/// The example program of VL2Run's documentation.
@Suite struct DocumentedExampleTests {
  @Test func runs() throws {
    let pictures = ["small.png", "tall.png"].map { Fixtures.path("golden/images/" + $0) }
    let run = try Tool("TwoSessions").run([try PackedModels.path("nano-mha", .q4)] + pictures)
    #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
    let notes = run.output.matches(of: /\[([^\]]*)\]/).map { String($0.1) }
    #expect(notes.contains("cancelled"), "\(run.output)")
    #expect(notes.contains { $0.hasSuffix(" tokens read") }, "\(run.output)")
    let known = try #require(run.output.firstMatch(of: /(\d+) of (\d+) tokens were known/))
    let (cached, all) = (try #require(Int(known.1)), try #require(Int(known.2)))
    #expect(cached > all - 30, "\(run.output)")
    #expect(try Tool("TwoSessions").run([]).output.hasPrefix("usage:"))
  }

  @Test(.enabled(if: sourcesAreAtHand, "the sources are not at hand"))
  func thePageShowsTheSame() throws {
    #expect(
      try shows(
        "Sources/VL2Run/VL2Run.docc/VL2Run.md", exampleOf: "Examples/TwoSessions/TwoSessions.swift"))
  }
}

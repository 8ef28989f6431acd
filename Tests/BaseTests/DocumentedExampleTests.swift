import TestSupport
import Testing
import VL2Base

// The example of Sources/VL2Base/VL2Base.docc, word for word.
// example begins
func report(_ error: any ReportableError) -> String {
  let line = error.line { setting, value in
    switch setting {
    case .maxTokens: "max_tokens"
    default: Setting.plainName(setting, value)
    }
  }
  return error.kind == .usage ? "bad request: \(line)" : line
}
// example ends

@Suite struct DocumentedExampleTests {
  private struct TooLong: ReportableError {
    let kind: ErrorKind
    let problem = "s.json: the shortest text takes 9 tokens"
    let hint = Hint("raise \(.maxTokens), or take a machine with \(.memory, "2G")")
  }

  /// The example gives settings its own names, and those that it has none for their plain ones.
  @Test func works() {
    let line =
      "s.json: the shortest text takes 9 tokens; raise max_tokens, or take a machine with memory of 2G"
    #expect(report(TooLong(kind: .badData)) == line)
    #expect(report(TooLong(kind: .usage)) == "bad request: " + line)
  }

  @Test(.enabled(if: sourcesAreAtHand, "the sources are not at hand"))
  func thePageShowsTheSame() throws {
    #expect(try shows("Sources/VL2Base/VL2Base.docc/VL2Base.md", exampleOf: #filePath))
  }
}

import TestSupport
import Testing
import VL2Measure

@Suite struct TraceCaseTests {
  /// As editors write it.
  @Test func aByteOrderMarkIsSkipped() throws {
    try withTemporaryFolder { folder in
      let plain = try bytes(of: Fixtures.path("golden/cases.json"))
      try write([0xEF, 0xBB, 0xBF] + plain, to: folder + "/cases.json")
      let cases = try TraceCase.load(folder + "/cases.json")
      #expect(try cases.map(\.name) == TraceCase.load(Fixtures.path("golden/cases.json")).map(\.name))
    }
  }
}

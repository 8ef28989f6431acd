import Testing
import VL2Base

@Suite struct DurationTextTests {
  @Test func times() {
    for (text, seconds) in [
      ("30s", 30), ("5m", 300), ("1h", 3600), ("7d", 604_800), ("500ms", 0.5), ("2", 2), ("1.5s", 1.5),
      ("", nil), ("s", nil),
      ("-1s", nil),
      ("1e3", nil), ("1 s", nil), ("1.2.3", nil), ("nan", nil),
    ] as [(String, Double?)] {
      #expect(DurationText.seconds(text) == seconds, "\(text)")
    }
  }
}

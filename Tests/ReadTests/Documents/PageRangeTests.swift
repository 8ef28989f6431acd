import Testing
import VL2Read

@Suite struct PageRangeTests {
  @Test func ranges() {
    #expect(PageRange("3-7") == PageRange(first: 3, last: 7))
    #expect(PageRange("3-") == PageRange(first: 3))
    #expect(PageRange("3") == PageRange(first: 3, last: 3))
    for wrong in ["", "-", "-3", "0", "0-2", "7-3", "a", "1-2-3", "1 - 2", "+1", "99999999", "１"] {
      #expect(PageRange(wrong) == nil, "\(wrong)")
    }
  }
}

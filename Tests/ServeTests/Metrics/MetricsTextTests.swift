import Testing
import VL2Serve

/// The text that Prometheus reads, and what is in it.
@Suite struct MetricsTextTests {
  /// An observation counts in the first bucket that it fits into: a bound belongs to its bucket.
  @Test func buckets() {
    var histogram = Histogram([0.5, 1, 2])
    for value in [0, 0.5, 0.50001, 1, 2, 2.5, 1e9] { histogram.observe(value) }
    #expect(histogram.counts == [2, 2, 1, 2])
    #expect(histogram.count == 7)
    #expect(histogram.sum == 1e9 + 6.50001)
    #expect(Histogram.seconds.bounds == Histogram.seconds.bounds.sorted())
    #expect(Histogram.seconds.bounds.first == 0.1 && Histogram.seconds.bounds.last == 300)
  }

  /// Buckets are told with all that is below them.
  @Test func histogram() {
    var histogram = Histogram([0.1, 1, 20])
    for value in [0.1, 0.5, 0.75, 100] { histogram.observe(value) }
    var text = MetricsText()
    text.add("a_seconds", "Of a.", [([("stage", "b")], histogram)])
    #expect(
      text.text == """
        # HELP a_seconds Of a.
        # TYPE a_seconds histogram
        a_seconds_bucket{stage="b",le="0.1"} 1
        a_seconds_bucket{stage="b",le="1"} 3
        a_seconds_bucket{stage="b",le="20"} 3
        a_seconds_bucket{stage="b",le="+Inf"} 4
        a_seconds_sum{stage="b"} 101.35
        a_seconds_count{stage="b"} 4

        """)
  }

  /// Nothing ends a line or a value before its end.
  @Test func escapes() {
    var text = MetricsText()
    text.add("a", .gauge, "One\\two\n\"three\"", [([("b", "x\"y\\z\nw"), ("c", "ü{},=")], 1)])
    #expect(
      text.text == """
        # HELP a One\\\\two\\n"three"
        # TYPE a gauge
        a{b="x\\"y\\\\z\\nw",c="ü{},="} 1

        """)
  }

  @Test func numbers() {
    var text = MetricsText()
    for value in [0, -3, 1.5, 1e15, 1e-9, 1e300, .infinity, -.infinity, .nan] {
      text.add("a", .counter, "b", value)
    }
    text.add("a", .counter, "b", Int?.none)
    let values = text.text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
      String($0.dropFirst(2))
    }
    #expect(values == ["0", "-3", "1.5", "1000000000000000", "1e-09", "1e+300", "+Inf", "-Inf", "NaN"])
  }
}

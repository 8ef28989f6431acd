/// How often a quantity was at most so large, as Prometheus has it.
package struct Histogram: Sendable, Equatable {
  /// The upper bounds of the buckets, ascending, without the last one, which has none.
  package let bounds: [Double]
  /// Observations by bucket, each in the first one that it fits into; one more than bounds.
  package private(set) var counts: [Int]
  package private(set) var sum = 0.0

  package init(_ bounds: [Double]) {
    self.bounds = bounds
    counts = .init(repeating: 0, count: bounds.count + 1)
  }

  /// From what takes a moment on a large machine to what takes minutes on a small one.
  package static let seconds = Histogram([0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 120, 300])

  package mutating func observe(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }

  package var count: Int { counts.reduce(0, +) }
}

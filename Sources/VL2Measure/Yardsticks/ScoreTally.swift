import Glibc
import VL2Base

/// The scores of some items, each 0...1.
package struct ScoreTally: Sendable {
  private var scores: [Double] = []
  private let isGraded: Bool

  package init(isGraded: Bool) { self.isGraded = isGraded }

  package mutating func add(_ score: Double) { scores.append(score) }

  package var items: Int { scores.count }
  package var sum: Double { scores.reduce(0, +) }
  /// 0 where there are no items.
  package var mean: Double { scores.isEmpty ? 0 : sum / Double(items) }

  /// Where the mean over many more such items lies, with 95 % confidence: Wilson's interval for what is right or wrong, a
  /// bootstrap for scores in between. It knows of chance alone, not of what the items have in common.
  package var interval: ClosedRange<Double> { isGraded ? bootstrap() : wilson }

  /// Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), pages 209 to 212.
  private var wilson: ClosedRange<Double> {
    guard items > 0 else { return 0...1 }
    let (n, z) = (Double(items), 1.959963984540054)
    let middle = (mean + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (mean * (1 - mean) / n + z * z / (4 * n * n)).squareRoot()
    // At the ends rounding alone could go beyond what was found.
    return min(mean, max(0, middle - half))...max(mean, min(1, middle + half))
  }

  private static let draws = 2000

  /// The middle 95 % of the means of as many items, drawn anew 2,000 times; always the same draws.
  ///
  /// Source: Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979), percentile method.
  private func bootstrap() -> ClosedRange<Double> {
    guard items > 0 else { return 0...1 }
    var random = RandomBits(state: 1)
    var means = (0..<Self.draws).map { _ in
      var sum = 0.0
      for _ in 0..<items {
        // The product's upper half: a place in 0..<items, none likelier than another by more than items in 2^64.
        sum += scores[Int(random.next().multipliedFullWidth(by: UInt64(items)).high)]
      }
      return sum / Double(items)
    }
    means.sort()
    return means[Self.draws / 40]...means[Self.draws - 1 - Self.draws / 40]
  }
}

/// Scores of a whole benchmark and of its parts.
package struct BenchmarkScores: Sendable {
  package private(set) var overall: ScoreTally
  /// By column (`split`, `category`, ...), then by what stands there.
  package private(set) var groups: [String: [String: ScoreTally]] = [:]
  private let isGraded: Bool

  package init(_ yardstick: Yardstick) {
    isGraded = yardstick.rule.isGraded
    overall = ScoreTally(isGraded: isGraded)
  }

  package mutating func add(_ item: BenchmarkItem, _ score: Double) {
    overall.add(score)
    for (column, name) in item.groups {
      groups[column, default: [:]][name, default: ScoreTally(isGraded: isGraded)].add(score)
    }
  }
}

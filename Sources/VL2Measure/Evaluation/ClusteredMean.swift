/// The mean of values that come in clusters, here the tokens of a text's windows, with how sure it is.
///
/// Tokens of one window resemble one another, so that the error is estimated from windows, not from tokens: with n(i)
/// values of the sum s(i) in cluster i, mean m = sum s / sum n, and a standard error of
/// sqrt(k / (k - 1) * sum (s(i) - m n(i))^2) / sum n over k clusters (Cochran, Sampling Techniques, 1977, 2.11: the
/// ratio estimator).
package struct ClusteredMean: Sendable, Equatable {
  /// Values in all clusters.
  package private(set) var count = 0
  /// Clusters that hold values.
  package private(set) var clusters = 0
  private var sum = 0.0
  private var sumOfSquares = 0.0
  private var sumOfProducts = 0.0
  private var sumOfSquaredCounts = 0.0

  package init() {}

  /// Adds a cluster of `count` values with this sum; one without values is left out.
  package mutating func append(sum: Double, count: Int) {
    guard count > 0 else { return }
    clusters += 1
    self.count += count
    self.sum += sum
    sumOfSquares += sum * sum
    sumOfProducts += sum * Double(count)
    sumOfSquaredCounts += Double(count) * Double(count)
  }

  /// 0 where there is no value.
  package var mean: Double { count > 0 ? sum / Double(count) : 0 }

  /// nil for fewer than two clusters, of which nothing can be said.
  package var standardError: Double? {
    guard clusters > 1 else { return nil }
    let squares = sumOfSquares - 2 * mean * sumOfProducts + mean * mean * sumOfSquaredCounts
    // Only rounding can make the sum negative.
    let spread = max(0, squares) * Double(clusters) / Double(clusters - 1)
    return spread.squareRoot() / Double(count)
  }

  /// The interval that holds the true mean in 95 of 100 samples, by Student's t with one degree of freedom less than
  /// clusters; nil for fewer than two.
  package var interval: ClosedRange<Double>? {
    standardError.map { mean - Self.quantile(clusters - 1) * $0...mean + Self.quantile(clusters - 1) * $0 }
  }

  /// The 97.5 % quantile of Student's t.
  ///
  /// Up to 6 degrees of freedom from the tables, from there on by Fisher's expansion around the normal quantile
  /// (Abramowitz and Stegun, 26.7.5), which is right to 0.001.
  package static func quantile(_ freedom: Int) -> Double {
    let tables = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469]
    if freedom <= tables.count { return tables[max(0, freedom - 1)] }
    let (z, v) = (1.959964, Double(freedom))
    let (z3, z5, z7) = (z * z * z, z * z * z * z * z, z * z * z * z * z * z * z)
    return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v)
      + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v)
  }
}

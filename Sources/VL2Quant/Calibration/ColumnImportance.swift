/// How much each column of a matrix counts when its scales are chosen: the mean square of what it multiplies, with a mean of
/// 1 over the matrix.
package struct ColumnImportance: Sendable {
  package struct Columns: Sendable {
    package var values: [Float]
    package var source: ImportanceSource
  }

  /// How rows of pictures and of text count beside one another.
  package enum Balance: String, Sendable, CaseIterable {
    /// Both kinds count the same, however many rows each has.
    case equal
    /// Every row counts the same.
    case byCount
  }

  /// Of fewer rows, the mean squares are chance.
  package static let fewestRows = 32
  /// No column counts less than this share of the mean: what was small here need not be small everywhere.
  private static let least = 1e-4

  private let columns: [String: Columns]

  package init(_ statistics: CalibrationStatistics, balance: Balance = .equal) {
    var pools: [String: CalibrationStatistics.Sums] = [:]
    for (input, sums) in zip(statistics.inputs.inputs, statistics.sums) {
      guard let pool = input.pool else { continue }
      pools[pool, default: .init(columns: input.columns)] += sums
    }
    var columns: [String: Columns] = [:]
    for (input, own) in zip(statistics.inputs.inputs, statistics.sums) {
      let choices: [(CalibrationStatistics.Sums?, ImportanceSource)] = [
        (own, .own), (input.pool.flatMap { pools[$0] }, .layer),
      ]
      for (sums, source) in choices {
        guard let sums, let values = Self.values(sums, balance) else { continue }
        for matrix in input.matrices { columns[matrix] = Columns(values: values, source: source) }
        break
      }
    }
    self.columns = columns
  }

  /// nil for a matrix that nothing is known of.
  package subscript(matrix: String) -> Columns? { columns[matrix] }

  /// - Returns: nil where the rows are too few, or all zero.
  package static func values(_ sums: CalibrationStatistics.Sums, _ balance: Balance) -> [Float]? {
    guard sums.allRows >= fewestRows else { return nil }
    let counts = sums.rows.map { Double($0) }
    let apart = balance == .equal && sums.rows.allSatisfy { $0 >= fewestRows }
    let (picture, text) = (Array(sums.squares(.picture)), Array(sums.squares(.text)))
    var means = [Double](repeating: 0, count: sums.columns)
    for column in means.indices {
      means[column] =
        apart
        ? (picture[column] / counts[0] + text[column] / counts[1]) / 2
        : (picture[column] + text[column]) / (counts[0] + counts[1])
    }
    let mean = means.reduce(0, +) / Double(means.count)
    guard mean > 0, mean.isFinite else { return nil }
    return means.map { Float(max($0 / mean, least)) }
  }
}

/// The rows in which a tensor's weights are worked on: the rows of a matrix, or the single values of a plain
/// tensor.
struct WeightExtent: Sendable, Equatable {
  var rows: Int
  var columns: Int

  init(_ tensor: TensorEntry) {
    let count = tensor.shape.reduce(1, *)
    rows = tensor.code == .plain ? count : tensor.shape.first ?? 1
    columns = rows == 0 ? 0 : count / rows
  }

  /// Ranges of rows that begin at multiples of 16. Each has about `weights` weights and at least one block.
  func ranges(ofWeights weights: Int) -> [Range<Int>] {
    let step = max(16, weights / max(1, columns) / 16 * 16)
    return stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
  }
}

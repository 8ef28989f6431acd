/// Cuts the weights of a section into pieces, each of which one thread makes at a time.
struct WeightPieces: Sendable {
  struct Piece: Sendable {
    /// Index into the section's tensors.
    var tensor: Int
    /// Rows of `WeightExtent`; begins at a multiple of 16.
    var rows: Range<Int>
  }

  let pieces: [Piece]

  /// Weights of a piece, so that its float32 form stays in a core's cache.
  private static let weightsAtATime = 1 << 18

  init(tensors: [TensorEntry]) {
    var pieces: [Piece] = []
    for (index, tensor) in tensors.enumerated() {
      let extent = WeightExtent(shape: tensor.shape, code: tensor.code)
      let step = max(16, Self.weightsAtATime / max(1, extent.columns) / 16 * 16)
      for first in stride(from: 0, to: extent.rows, by: step) {
        pieces.append(Piece(tensor: index, rows: first..<min(first + step, extent.rows)))
      }
    }
    self.pieces = pieces
  }
}

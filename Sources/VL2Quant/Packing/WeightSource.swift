/// Where the weights of a packed file come from.
protocol WeightSource: Sendable {
  /// Called first, for every tensor; throws if there is no such tensor.
  func check(_ tensor: TensorEntry) throws

  /// Writes rows of a tensor, in the tensor's code, to their place in the section's raw bytes. The padding
  /// there is zero. Called from several threads, for different rows.
  ///
  /// - Parameter rows: rows as in `WeightExtent`; begins at a multiple of 16.
  func write(_ tensor: TensorEntry, rows: Range<Int>, to section: UnsafeMutableRawBufferPointer) throws
    -> CodeError
}

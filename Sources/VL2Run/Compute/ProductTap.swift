/// Is shown what goes into products, where somebody collects it. Without one, a job of products costs one comparison with
/// nil.
package protocol ProductTap: AnyObject {
  /// Rows go through the decoder from this position on.
  func begin(at position: Int)
  /// Which of these rows the next products' inputs are.
  func take(_ rows: TappedRows)
  /// Called before products are computed.
  func observe(_ products: UnsafeBufferPointer<Product>)
  /// What a matrix multiplies in another way, or more than once: each row is shown here once.
  func observe(_ linear: Linear, _ rows: Rows)
}

/// How the inputs of products lie among the decoder's rows.
package enum TappedRows: BitwiseCopyable {
  /// Input r is row `first` + r.
  case consecutive(first: Int)
  /// Input r of a product without index is row `first` + r; input r of one with an index is row `rows`[r].
  case pairs(first: Int, rows: UnsafePointer<UInt32>?)
}

/// Rows made ready for products: quantised to int8 where the mode says so.
package struct PreparedRows: BitwiseCopyable {
  /// As float kernels read them: rounded as the int8 codes are, where the mode says so.
  var float: Rows
  var quantized: UnsafeMutablePointer<UInt8>?
  /// Bytes between the beginnings of two quantised rows.
  var quantizedStep: Int

  /// What rows are quantised into. What it held before is lost, and rows are valid until it is used again.
  package struct Memory: ~Copyable {
    var quantized = AlignedStorage()
    /// The same as floats, for the matrices that only float kernels read.
    var rounded = AlignedStorage()

    package init() {}

    package mutating func release() {
      quantized.release()
      rounded.release()
    }
  }
}

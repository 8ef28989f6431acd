/// Rows made ready for products: quantised to int8 where the mode says so.
package struct PreparedRows: BitwiseCopyable {
  /// The rows as they were given.
  var source: Rows
  /// The rows for float kernels; where the mode says so, rounded to the values of the int8 codes.
  var float: Rows
  var quantized: UnsafeMutablePointer<UInt8>?
  /// Bytes between the beginnings of two quantised rows.
  var quantizedStep: Int

  /// Memory that rows are quantised into. The prepared rows are valid until the memory is used again.
  package struct Memory: ~Copyable {
    var quantized = AlignedStorage()
    /// The quantised rows as floats, for the matrices that only float kernels read.
    var rounded = AlignedStorage()

    package init() {}

    package mutating func release() {
      quantized.release()
      rounded.release()
    }
  }
}

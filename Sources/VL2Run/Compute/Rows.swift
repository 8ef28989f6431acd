/// A view of float32 rows in memory that somebody else owns and keeps alive.
package struct Rows: BitwiseCopyable {
  package var base: UnsafeMutablePointer<Float>
  package var count: Int
  package var columns: Int
  /// Floats between the beginnings of two rows.
  package var stride: Int

  package init(_ base: UnsafeMutablePointer<Float>, count: Int, columns: Int, stride: Int? = nil) {
    self.base = base
    self.count = count
    self.columns = columns
    self.stride = stride ?? columns
  }

  package subscript(row: Int) -> UnsafeMutablePointer<Float> { base + row * stride }

  /// Rows `range` of this view.
  package func slice(_ range: Range<Int>) -> Rows {
    Rows(self[range.lowerBound], count: range.count, columns: columns, stride: stride)
  }
}

/// How the weights of a tensor are cut into rows: a matrix has the rows of its first dimension, a plain tensor
/// counts every value as a row of one column.
struct WeightExtent: Sendable, Equatable {
  var rows: Int
  var columns: Int

  init(shape: [Int], code: WeightCode) {
    let count = shape.reduce(1, *)
    if code == .plain {
      rows = count
      columns = 1
    } else {
      rows = shape.first ?? 1
      columns = rows == 0 ? 0 : count / rows
    }
  }
}

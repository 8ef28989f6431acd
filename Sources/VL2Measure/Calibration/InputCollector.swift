import SIMDKernels
import VL2Quant
import VL2Run

/// Adds up the squares of what goes into every matrix of a model.
///
/// Each column is added row after row, in the order in which rows are computed, in float64: the sums have the same bits
/// with any number of threads. The model must be mapped, so that a matrix has one address.
package final class InputCollector: ProductTap {
  private struct Slot {
    var place: Int
    /// The kind of all its rows; nil where a row's position decides.
    var kind: CalibrationStatistics.Kind?
    /// Whether it is shown by itself, and not as it is multiplied.
    var isShownAlone: Bool
  }

  /// Rows of one kind that are added to the sums of an input.
  private struct Addition {
    var rows: Rows
    /// Places in `indices`.
    var first: Int
    var count: Int
    var sums: UnsafeMutablePointer<Double>
  }

  private let arithmetic: Arithmetic
  /// By the address of a matrix.
  private let slots: [UInt: Slot]
  private let columns: [Int]
  private let sums: UnsafeMutableBufferPointer<Double>
  /// Where the sums of each input begin: those of pictures, then those of text.
  private let offsets: [Int]
  private var counts: [[Int]]
  private var isPicture: [Bool] = []
  private var position = 0
  private var rows = TappedRows.consecutive(first: 0)
  private var additions: [Addition] = []
  private var indices: [UInt32] = []

  /// Values that one thread adds faster than it takes to wake another.
  private static let fewValues = 1 << 15
  /// Columns of a work item.
  private static let columnsTogether = 128

  /// - Throws: `PackedFileError` for a file without a matrix that its config demands.
  package init(_ model: Model) throws {
    let inputs = MatrixInputs(ModelLayout(model.config)).inputs
    var slots: [UInt: Slot] = [:]
    var offsets: [Int] = []
    var total = 0
    for (place, input) in inputs.enumerated() {
      // Of gate and up, a product names up.
      let name = input.matrices.first { $0.hasSuffix(".up_proj.weight") } ?? input.name
      let matrix = try model.file.matrix(name)
      let isLanguage = name.hasPrefix("language.")
      let kind: CalibrationStatistics.Kind? =
        !isLanguage ? .picture : name == "language.lm_head.weight" ? .text : nil
      slots[UInt(bitPattern: matrix.blocks)] = Slot(
        place: place, kind: kind, isShownAlone: name.hasSuffix(".kv_b_proj.weight"))
      offsets.append(total)
      total += 2 * input.columns
    }
    arithmetic = model.arithmetic
    columns = inputs.map(\.columns)
    counts = inputs.map { _ in [0, 0] }
    sums = .allocate(capacity: total)
    sums.initialize(repeating: 0)
    (self.slots, self.offsets) = (slots, offsets)
  }

  deinit { sums.deallocate() }

  /// A prompt comes next.
  ///
  /// - Parameter pictures: the positions of its pictures' places; all others are text.
  package func begin(pictures: [Range<Int>]) {
    isPicture = .init(repeating: false, count: pictures.map(\.upperBound).max() ?? 0)
    for position in pictures.joined() { isPicture[position] = true }
  }

  /// Adds everything since the last call to `statistics` and begins anew.
  package func take(into statistics: inout CalibrationStatistics) {
    for place in columns.indices {
      for column in 0..<2 * columns[place] {
        statistics.sums[place].squares[column] += sums[offsets[place] + column]
      }
      for kind in 0..<2 { statistics.sums[place].rows[kind] += counts[place][kind] }
    }
    forget()
  }

  /// Forgets everything since the last call of `take`.
  package func forget() {
    sums.update(repeating: 0)
    for place in counts.indices { counts[place] = [0, 0] }
  }

  // MARK: what the model shows

  package func begin(at position: Int) { self.position = position }

  package func take(_ rows: TappedRows) { self.rows = rows }

  package func observe(_ products: UnsafeBufferPointer<Product>) {
    for product in products where product.count > 0 {
      guard let slot = slots[UInt(bitPattern: product.linear.matrix.blocks)], !slot.isShownAlone else {
        continue
      }
      let (input, index) = product.tapped
      add(input, slot, count: product.count) { row in
        (index?[row] ?? UInt32(row), self.decoderRow(row, index))
      }
    }
    addUp()
  }

  package func observe(_ linear: Linear, _ rows: Rows) {
    guard let slot = slots[UInt(bitPattern: linear.matrix.blocks)] else { return }
    add(rows, slot, count: rows.count) { row in (UInt32(row), self.decoderRow(row, nil)) }
    addUp()
  }

  /// The decoder's row of a product's row.
  private func decoderRow(_ row: Int, _ index: UnsafePointer<UInt32>?) -> Int {
    let input = index.map { Int($0[row]) } ?? row
    switch rows {
    case .consecutive(let first): return first + input
    case .pairs(let first, let rows):
      if index != nil, let rows { return Int(rows[input]) }
      return first + input
    }
  }

  /// Notes the rows of a product, by kind.
  ///
  /// - Parameter place: for each of the product's rows its place in `input` and the decoder's row that it is of.
  private func add(
    _ input: Rows, _ slot: Slot, count: Int, place: (Int) -> (input: UInt32, row: Int)
  ) {
    for kind in CalibrationStatistics.Kind.allCases where slot.kind == nil || slot.kind == kind {
      let first = indices.count
      for row in 0..<count {
        let (input, row) = place(row)
        if slot.kind == nil, self.kind(ofRow: row) != kind { continue }
        indices.append(input)
      }
      let added = indices.count - first
      if added == 0 { continue }
      counts[slot.place][kind.rawValue] += added
      additions.append(
        Addition(
          rows: input, first: first, count: added,
          sums: sums.baseAddress! + offsets[slot.place] + kind.rawValue * columns[slot.place]))
    }
  }

  private func kind(ofRow row: Int) -> CalibrationStatistics.Kind {
    let position = position + row
    return position < isPicture.count && isPicture[position] ? .picture : .text
  }

  /// Adds what was noted.
  private func addUp() {
    if additions.isEmpty { return }
    let values = additions.reduce(0) { $0 + $1.count * $1.rows.columns }
    indices.withUnsafeBufferPointer { indices in
      guard let base = indices.baseAddress else { return }
      let kernels = vl2_kernels_active().pointee
      func add(_ addition: Addition, _ columns: Range<Int>) {
        kernels.add_squares(
          addition.rows.base + columns.lowerBound, addition.rows.stride, base + addition.first,
          addition.count,
          columns.count, addition.sums + columns.lowerBound)
      }
      if values <= Self.fewValues {
        for addition in additions { add(addition, 0..<addition.rows.columns) }
        return
      }
      var items: [(addition: Addition, columns: Range<Int>)] = []
      for addition in additions {
        let end = addition.rows.columns
        for first in stride(from: 0, to: end, by: Self.columnsTogether) {
          items.append((addition, first..<min(end, first + Self.columnsTogether)))
        }
      }
      arithmetic.pool.run(items.count) { item, _ in add(items[item].addition, items[item].columns) }
    }
    additions.removeAll(keepingCapacity: true)
    indices.removeAll(keepingCapacity: true)
  }
}

extension PackedFile {
  /// A matrix of whatever shape it has.
  fileprivate func matrix(_ name: String) throws -> vl2_matrix {
    let tensor = manifest.sections.lazy.flatMap(\.tensors).first { $0.name == name }
    let shape = tensor?.shape ?? []
    return try matrix(name, rows: shape.first ?? 0, columns: shape.dropFirst().reduce(1, *))
  }
}

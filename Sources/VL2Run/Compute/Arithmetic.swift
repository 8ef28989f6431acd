import SIMDKernels

/// How rows enter a product with packed weights.
public enum ActivationMode: Sendable, Equatable {
  /// int8 with a scale per 32 values: the default.
  case int8
  /// int8 with one scale per row: exists to measure what a scale per 32 values is worth.
  case int8PerRow
  /// float32, for comparison with a reference.
  case float32
}

/// A weight matrix and its bias.
package struct Linear {
  package var matrix: vl2_matrix
  package var bias: UnsafePointer<Float>?

  package init(_ matrix: vl2_matrix, bias: UnsafePointer<Float>? = nil) {
    self.matrix = matrix
    self.bias = bias
  }

  package var outputs: Int { Int(matrix.rows) }
  package var inputs: Int { Int(matrix.columns) }
  package var blocks: Int { (Int(matrix.rows) + 15) / 16 }
  package var blockBytes: Int { vl2_block_bytes(matrix.code, inputs) }
  package var byteCount: Int { blocks * blockBytes }

  /// The blocks of 16 that hold `rows`, as a matrix of their own without bias, and the place of the first row in it.
  package func covering(rows: Range<Int>) -> (linear: Linear, skipped: Int) {
    let first = rows.lowerBound / 16
    let end = min(outputs, (rows.upperBound + 15) / 16 * 16)
    var part = matrix
    part.blocks += first * matrix.block_step
    part.rows = UInt32(end - first * 16)
    return (Linear(part), rows.lowerBound - first * 16)
  }

  /// Whether kernels multiply it by int8 rows.
  package var takesInt8: Bool {
    matrix.code == UInt32(VL2_CODE_I8) || matrix.code == UInt32(VL2_CODE_Q4)
  }
}

/// Rows made ready for products: quantised to int8 where the mode says so.
package struct PreparedRows {
  fileprivate var float: Rows
  fileprivate var quantized: UnsafeMutablePointer<UInt8>?
  fileprivate var quantizedStep: Int
}

/// One product of a parallel job: rows of `input` (or those that `index` names) with a matrix.
package struct Product {
  package var linear: Linear
  /// A matrix of the same shape whose product gates: the output is silu(gate x) * (linear x).
  package var gate: Linear?
  package var input: PreparedRows
  /// Rows of `input` to take, in order; nil for the first `count`.
  package var index: UnsafePointer<UInt32>?
  package var count: Int
  package var output: Rows

  package init(
    _ linear: Linear, gate: Linear? = nil, _ input: PreparedRows, index: UnsafePointer<UInt32>? = nil,
    count: Int, into output: Rows
  ) {
    self.linear = linear
    self.gate = gate
    self.input = input
    self.index = index
    self.count = count
    self.output = output
  }
}

/// Products of rows and packed matrices, shared out over the threads of a pool.
///
/// A row's result has the same bits whatever else is in the job and however many threads there are.
package final class Arithmetic {
  package let pool: WorkerPool
  package let mode: ActivationMode

  private var floatScratch: [AlignedBuffer]
  /// What gates a block, where no kernel does all of it.
  private var gateScratch: [AlignedBuffer]
  /// Activations as the int8 codes say, for the matrices that only float kernels read.
  private var rounded: [AlignedBuffer]
  private var quantizedRows: [AlignedBuffer]

  package init(pool: WorkerPool, mode: ActivationMode) {
    self.pool = pool
    self.mode = mode
    floatScratch = (0..<pool.threads).map { _ in AlignedBuffer() }
    gateScratch = (0..<pool.threads).map { _ in AlignedBuffer() }
    rounded = (0..<3).map { _ in AlignedBuffer() }
    quantizedRows = (0..<3).map { _ in AlignedBuffer() }
  }

  /// Begins a stage where somebody measures them.
  ///
  /// - Returns: the stage that ends.
  @discardableResult package func enter(_ stage: StageClock.Stage) -> StageClock.Stage {
    pool.clock?.enter(stage) ?? .other
  }

  /// Rows per work item of a parallel job over rows.
  private static let rowsPerItem = 16

  /// Calls `body` for consecutive ranges of 0..<count, on all threads.
  package func forEachRowRange(_ count: Int, _ body: (Range<Int>) -> Void) {
    let items = (count + Self.rowsPerItem - 1) / Self.rowsPerItem
    pool.run(items) { item, _ in
      body(item * Self.rowsPerItem..<min(count, (item + 1) * Self.rowsPerItem))
    }
  }

  /// Makes `rows` ready for products with `linears`. Memory comes from one of three slots; what a slot held before
  /// is lost, and the result is valid until the slot is used again.
  ///
  /// - Parameter change: called for ranges of rows before they are read, in the same job: rows that it has changed are
  ///   still in a cache. The caller's stage goes on then.
  package func prepare(
    _ rows: Rows, for linears: [Linear], slot: Int = 0, change: ((Range<Int>) -> Void)? = nil
  ) -> PreparedRows {
    prepare(rows, onlyInt8: linears.allSatisfy(\.takesInt8), slot: slot, change: change)
  }

  /// - Parameter onlyInt8: whether kernels multiply all the matrices that will come by int8 rows.
  package func prepare(
    _ rows: Rows, onlyInt8: Bool, slot: Int = 0, change: ((Range<Int>) -> Void)? = nil
  ) -> PreparedRows {
    var prepared = PreparedRows(float: rows, quantized: nil, quantizedStep: 0)
    if mode == .float32 {
      if let change { forEachRowRange(rows.count, change) }
      return prepared
    }
    let stage = change == nil ? enter(.quantize) : nil
    defer { if let stage { enter(stage) } }
    let step = vl2_quantized_row_bytes(rows.columns)
    let bytes = quantizedRows[slot].reserve(rows.count * step, of: UInt8.self)
    let group = mode == .int8 ? 32 : 0
    let kernels = vl2_kernels_active().pointee
    forEachRowRange(rows.count) { range in
      change?(range)
      kernels.quantize_rows(
        rows[range.lowerBound], rows.stride, range.count, rows.columns, group,
        bytes + range.lowerBound * step, step)
    }
    prepared.quantized = bytes
    prepared.quantizedStep = step
    if !onlyInt8 {
      let floats = rounded[slot].reserve(rows.count * rows.columns, of: Float.self)
      forEachRowRange(rows.count) { range in
        for row in range {
          Self.widen(bytes + row * step, columns: rows.columns, into: floats + row * rows.columns)
        }
      }
      prepared.float = Rows(floats, count: rows.count, columns: rows.columns)
    }
    return prepared
  }

  /// Rows as they are, for products that stay in float32 in every mode (the router).
  package func asFloat(_ rows: Rows) -> PreparedRows {
    PreparedRows(float: rows, quantized: nil, quantizedStep: 0)
  }

  /// scale x int8 of one quantised row.
  private static func widen(_ row: UnsafePointer<UInt8>, columns: Int, into out: UnsafeMutablePointer<Float>)
  {
    let padded = (columns + 31) / 32 * 32
    let raw = UnsafeRawPointer(row)
    for column in 0..<columns {
      let scale = raw.load(fromByteOffset: padded + column / 32 * 4, as: Float.self)
      out[column] = scale * Float(Int8(bitPattern: row[column]))
    }
  }

  /// Computes one product.
  package func multiply(_ linear: Linear, _ input: PreparedRows, count: Int, into output: Rows) {
    multiply([Product(linear, input, count: count, into: output)])
  }

  /// Computes several products as one parallel job.
  package func multiply(_ products: [Product]) {
    if let clock = pool.clock {
      for product in products where product.count > 0 {
        for linear in [product.linear, product.gate].compactMap(\.self) {
          clock.count(
            bytes: linear.byteCount,
            products: Double(product.count) * Double(linear.outputs) * Double(linear.inputs))
        }
      }
    }
    if products.allSatisfy({ $0.count < Self.fewRows }) { return multiplyFewRows(products) }
    // Blocks of 16 weight rows per item: few enough that all threads have work when there is one row, and a
    // tile of rows small enough that it stays in a level-2 cache while the weights stream past.
    let rowsPerTile = 128
    var firstItem = [Int](repeating: 0, count: products.count + 1)
    var blocksPerItem = [Int](repeating: 1, count: products.count)
    for (i, product) in products.enumerated() {
      let tiles = (product.count + rowsPerTile - 1) / rowsPerTile
      let blocks = product.linear.blocks
      let items = max(1, pool.threads * 4 / products.count)
      blocksPerItem[i] = product.count < Self.fewRows ? max(1, min(32, blocks / items)) : 8
      firstItem[i + 1] = firstItem[i] + tiles * ((blocks + blocksPerItem[i] - 1) / blocksPerItem[i])
    }
    pool.run(firstItem[products.count]) { item, worker in
      var i = 0
      while firstItem[i + 1] <= item { i += 1 }
      let product = products[i]
      let chunks = (product.linear.blocks + blocksPerItem[i] - 1) / blocksPerItem[i]
      let (tile, chunk) = (item - firstItem[i]).quotientAndRemainder(dividingBy: chunks)
      let first = chunk * blocksPerItem[i]
      compute(
        product, rows: tile * rowsPerTile..<min(product.count, (tile + 1) * rowsPerTile),
        blocks: first..<min(product.linear.blocks, first + blocksPerItem[i]), worker: worker)
    }
  }

  /// Rows below which a product is bound by reading its weights.
  private static let fewRows = 16
  /// Bytes of weights below which no work item is cut: some microseconds of reading.
  private static let fewestBytes = 24 << 10

  /// Shares out the blocks of all products in the order of their addresses.
  private func multiplyFewRows(_ products: [Product]) {
    let blocks = products.reduce(0) { $0 + ($1.count > 0 ? $1.linear.blocks : 0) }
    guard let first = products.first else { return }
    let smallest = max(1, Self.fewestBytes / first.linear.blockBytes / (first.gate == nil ? 1 : 2))
    pool.share(blocks, inRangesOf: smallest) { range, worker in
      var first = 0
      for product in products where product.count > 0 {
        let end = first + product.linear.blocks
        let ours = range.clamped(to: first..<end)
        if !ours.isEmpty {
          compute(
            product, rows: 0..<product.count, blocks: ours.lowerBound - first..<ours.upperBound - first,
            worker: worker)
        }
        first = end
      }
    }
  }

  private func compute(_ product: Product, rows: Range<Int>, blocks: Range<Int>, worker: Int) {
    let kernels = vl2_kernels_active().pointee
    let output = product.output.slice(rows)
    guard let gate = product.gate else {
      return compute(product, product.linear, rows: rows, blocks: blocks, worker: worker, into: output)
    }
    if let quantized = product.input.quantized, gate.takesInt8, gate.matrix.code == product.linear.matrix.code
    {
      var (gate, up) = (gate.matrix, product.linear.matrix)
      let skipped = product.index == nil ? rows.lowerBound : 0
      return kernels.gated_i8(
        &gate, &up, blocks.lowerBound, blocks.upperBound, quantized + skipped * product.input.quantizedStep,
        product.input.quantizedStep, product.index.map { $0 + rows.lowerBound }, rows.count, output.base,
        output.stride)
    }
    // Block by block, as the kernel does.
    let gated = Rows(gateScratch[worker].reserve(16 * rows.count), count: rows.count, columns: 16)
    for block in blocks {
      let columns = block * 16..<min(gate.outputs, block * 16 + 16)
      let up = Rows(
        output.base + columns.lowerBound, count: rows.count, columns: columns.count, stride: output.stride)
      for (linear, out) in [(gate, gated), (product.linear, up)] {
        compute(
          product, linear.covering(rows: columns).linear, rows: rows, blocks: 0..<1, worker: worker, into: out
        )
      }
      for row in 0..<rows.count { kernels.silu_multiply(gated[row], up[row], up[row], columns.count) }
    }
  }

  /// The product of a product's rows with one matrix.
  private func compute(
    _ product: Product, _ linear: Linear, rows: Range<Int>, blocks: Range<Int>, worker: Int, into out: Rows
  ) {
    let kernels = vl2_kernels_active().pointee
    var matrix = linear.matrix
    let index = product.index.map { $0 + rows.lowerBound }
    let skipped = product.index == nil ? rows.lowerBound : 0
    if let quantized = product.input.quantized, linear.takesInt8 {
      kernels.matmul_i8(
        &matrix, blocks.lowerBound, blocks.upperBound, quantized + skipped * product.input.quantizedStep,
        product.input.quantizedStep, index, rows.count, linear.bias, out.base, out.stride)
    } else {
      let scratch = floatScratch[worker].reserve(16 * linear.inputs, of: Float.self)
      kernels.matmul_f32(
        &matrix, blocks.lowerBound, blocks.upperBound, product.input.float[skipped],
        product.input.float.stride,
        index, rows.count, linear.bias, out.base, out.stride, scratch)
    }
  }

  /// Gives back what large jobs left behind.
  package func releaseScratch() {
    for buffer in rounded + quantizedRows { buffer.release() }
  }
}

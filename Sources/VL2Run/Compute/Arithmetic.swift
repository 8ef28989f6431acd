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

/// Products of rows and packed matrices, shared out over the threads of a pool.
///
/// A row's result has the same bits whatever else is in the job and however many threads there are.
package final class Arithmetic {
  package let pool: WorkerPool
  package let mode: ActivationMode
  /// Is shown what goes into products; nil where nobody collects it.
  package var tap: (any ProductTap)?

  /// Scratch of all threads: blocks of weights that are decoded for float kernels.
  private var decoded = AlignedStorage()
  /// Scratch of all threads: the gate's products of blocks, where no kernel computes the gated product in one go.
  private var gated = AlignedStorage()
  private var inputs = PreparedRows.Memory()
  private var products = PlainList<Product>()

  package init(pool: WorkerPool, mode: ActivationMode) {
    self.pool = pool
    self.mode = mode
  }

  deinit { pool.stop() }

  /// Begins a stage, where stages are measured.
  ///
  /// - Returns: the stage that ends.
  @discardableResult package func enter(_ stage: StageClock.Stage) -> StageClock.Stage {
    pool.clock?.enter(stage) ?? .other
  }

  /// Does items 0..<items of `work`, one by one, on all threads. Use this instead of `pool.run`: taking
  /// `pool` out of this object would count a reference.
  package func run<Work: SharedWork>(_ items: Int, _ work: Work) { pool.run(items, work) }

  /// Rows per work item of a parallel job over rows.
  private static let rowsPerItem = 16

  /// Calls `body` for consecutive ranges of 0..<count, on all threads.
  package func forEachRowRange(_ count: Int, _ body: (Range<Int>) -> Void) {
    let items = (count + Self.rowsPerItem - 1) / Self.rowsPerItem
    pool.run(items) { item, _ in
      body(item * Self.rowsPerItem..<min(count, (item + 1) * Self.rowsPerItem))
    }
  }

  /// Makes `rows` ready for products with `linear`.
  package func prepare(
    _ rows: Rows, for linear: Linear, change: ((Range<Int>) -> Void)? = nil
  ) -> PreparedRows {
    prepare(rows, onlyInt8: linear.takesInt8, change: change)
  }

  /// Makes `rows` ready for products, in memory shared by all callers that give none of their own.
  ///
  /// - Parameter onlyInt8: whether kernels multiply all the matrices that will be used with these rows by int8 rows.
  package func prepare(
    _ rows: Rows, onlyInt8: Bool, change: ((Range<Int>) -> Void)? = nil
  ) -> PreparedRows {
    prepare(rows, onlyInt8: onlyInt8, in: &inputs, change: change)
  }

  /// Makes `rows` ready for products.
  ///
  /// - Parameters:
  ///   - onlyInt8: whether kernels multiply all the matrices that will be used with these rows by int8 rows.
  ///   - memory: where the quantised rows are stored.
  ///   - change: called for ranges of rows before they are read, in the same job, so that the changed rows
  ///     are still in the processor's cache. The caller's stage goes on in that case.
  package func prepare(
    _ rows: Rows, onlyInt8: Bool, in memory: inout PreparedRows.Memory, change: ((Range<Int>) -> Void)? = nil
  ) -> PreparedRows {
    var prepared = PreparedRows(source: rows, float: rows, quantized: nil, quantizedStep: 0)
    if mode == .float32 {
      if let change { forEachRowRange(rows.count, change) }
      return prepared
    }
    let stage = change == nil ? enter(.quantize) : nil
    defer { if let stage { enter(stage) } }
    let step = vl2_quantized_row_bytes(rows.columns)
    let bytes = memory.quantized.reserve(rows.count * step, of: UInt8.self)
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
      let floats = memory.rounded.reserve(rows.count * rows.columns, of: Float.self)
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
    PreparedRows(source: rows, float: rows, quantized: nil, quantizedStep: 0)
  }

  /// Turns one quantised row back into floats, scale x int8.
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
    multiply(Product(linear, input, count: count, into: output))
  }

  /// Computes up to three products as one parallel job.
  package func multiply(_ first: Product, _ second: Product? = nil, _ third: Product? = nil) {
    products.removeAll()
    products.append(first)
    if let second { products.append(second) }
    if let third { products.append(third) }
    multiply(products.elements)
  }

  /// Computes several products as one parallel job.
  package func multiply(_ products: UnsafeBufferPointer<Product>) {
    if let tap { tap.observe(products) }
    if let clock = pool.clock {
      for product in products where product.count > 0 {
        let (linear, matrices) = (product.linear, product.gate == nil ? 1 : 2)
        clock.count(
          bytes: matrices * linear.byteCount,
          products: Double(matrices * product.count) * Double(linear.outputs) * Double(linear.inputs))
      }
    }
    if products.allSatisfy({ $0.count < Self.fewRows }) { return multiplyFewRows(products) }
    let work = ManyRowsWork(products: products, scratch: scratch(for: products))
    pool.share(work.units, inRangesOf: Self.fewestPairs, work)
  }

  /// Rows that are multiplied by the weights together: few enough to stay in a level-2 cache while the
  /// weights stream past.
  private static let rowsPerTile = 128
  /// With many rows, the fewest pairs of blocks in a work item: some tens of microseconds of work.
  private static let fewestPairs = 2
  /// With fewer rows than this, a product's time is bound by reading its weights.
  private static let fewRows = 16
  /// With few rows, the fewest bytes of weights in a work item: some microseconds of reading.
  private static let fewestBytes = 24 << 10

  /// Products, some of them with many rows. A unit is two blocks of 16 rows of a matrix, which kernels take
  /// together, with one tile of rows. All blocks of a matrix come before the next tile. While a kernel goes
  /// through a range it already requests the weights that come next, so ranges should be long.
  private struct ManyRowsWork: SharedWork {
    let products: UnsafeBufferPointer<Product>
    let scratch: ThreadScratch

    var units: Int { products.reduce(0) { $0 + tiles(of: $1) * pairs(of: $1) } }

    private func tiles(of product: Product) -> Int { (product.count + rowsPerTile - 1) / rowsPerTile }
    private func pairs(of product: Product) -> Int { (product.linear.blocks + 1) / 2 }

    func work(on range: Range<Int>, worker: Int) {
      var first = 0
      for product in products {
        for tile in 0..<tiles(of: product) {
          let end = first + pairs(of: product)
          let ours = range.clamped(to: first..<end)
          if !ours.isEmpty {
            let (pair, endPair) = (ours.lowerBound - first, ours.upperBound - first)
            product.compute(
              rows: tile * rowsPerTile..<min(product.count, (tile + 1) * rowsPerTile),
              blocks: pair * 2..<min(product.linear.blocks, endPair * 2), scratch: scratch[worker])
          }
          first = end
        }
      }
    }

    static let entry: SharedWorkEntry = {
      $0.assumingMemoryBound(to: ManyRowsWork.self).pointee.work(on: $1..<$2, worker: $3)
    }
  }

  /// Shares out the blocks of all products in the order of their addresses.
  private func multiplyFewRows(_ products: UnsafeBufferPointer<Product>) {
    guard let first = products.first else { return }
    var blocks = 0
    for product in products where product.count > 0 { blocks += product.linear.blocks }
    let smallest = max(1, Self.fewestBytes / first.linear.blockBytes / (first.gate == nil ? 1 : 2))
    pool.share(
      blocks, inRangesOf: smallest, FewRowsWork(products: products, scratch: scratch(for: products)))
  }

  /// Products of few rows; a unit is a block of 16 rows of a matrix.
  private struct FewRowsWork: SharedWork {
    let products: UnsafeBufferPointer<Product>
    let scratch: ThreadScratch

    func work(on range: Range<Int>, worker: Int) {
      var first = 0
      for product in products where product.count > 0 {
        let end = first + product.linear.blocks
        let ours = range.clamped(to: first..<end)
        if !ours.isEmpty {
          product.compute(
            rows: 0..<product.count, blocks: ours.lowerBound - first..<ours.upperBound - first,
            scratch: scratch[worker])
        }
        first = end
      }
    }

    static let entry: SharedWorkEntry = {
      $0.assumingMemoryBound(to: FewRowsWork.self).pointee.work(on: $1..<$2, worker: $3)
    }
  }

  /// Scratch of all threads.
  private struct ThreadScratch {
    var decoded, gated: ThreadSlices<Float>

    subscript(worker: Int) -> Product.Scratch { .init(decoded: decoded[worker], gated: gated[worker]) }
  }

  /// Scratch that is large enough for each of `products`.
  private func scratch(for products: UnsafeBufferPointer<Product>) -> ThreadScratch {
    var (inputs, gatedRows) = (0, 0)
    for product in products where product.count > 0 {
      if product.decodes { inputs = max(inputs, product.linear.inputs) }
      if product.gate != nil { gatedRows = max(gatedRows, min(product.count, Self.rowsPerTile)) }
    }
    return ThreadScratch(
      decoded: ThreadSlices(&decoded, 16 * inputs, threads: pool.threads),
      gated: ThreadSlices(&gated, 16 * gatedRows, threads: pool.threads))
  }

  /// Frees the scratch that large jobs needed.
  package func releaseScratch() {
    decoded.release()
    gated.release()
    inputs.release()
  }
}

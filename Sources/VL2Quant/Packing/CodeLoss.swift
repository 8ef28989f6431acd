import SIMDKernels
import VL2Base

/// What a code takes and loses on the matrices of a group.
///
/// The loss of a matrix is the square of its weighted relative error: the squared error of the code on the weights, with
/// each column counted by the mean square of what it multiplies, over the same sum of squared weights. That is how large
/// the noise in the matrix's output is against the output, if columns are independent. The noises of several
/// matrices add up by their shares (`CodeGroup`): what a block of a stack adds is taken to be as large as what any other
/// adds, so that noise in a block of n reaches the end as 1 / n. Measured, not derived: docs/QUALITY.md holds it against
/// the divergence of real models.
package struct CodeLoss: Sendable, Equatable {
  package let group: CodeGroup
  /// Bytes of the group's matrices.
  package let q4Bytes: Int
  package let int8Bytes: Int
  /// nil where nothing is known of what goes into the matrices.
  package let q4Loss: Double?
  package let int8Loss: Double?

  package init(_ group: CodeGroup, q4Loss: Double?, int8Loss: Double?) {
    (self.group, self.q4Loss, self.int8Loss) = (group, q4Loss, int8Loss)
    func bytes(_ code: Int) -> Int {
      group.matrices.reduce(0) { sum, matrix in
        let rows = matrix.shape[0]
        return sum + (rows + 15) / 16
          * vl2_block_bytes(UInt32(code), matrix.shape.dropFirst().reduce(1, *))
      }
    }
    q4Bytes = bytes(Int(VL2_CODE_Q4))
    int8Bytes = bytes(Int(VL2_CODE_I8))
  }

  /// What int8 saves for each byte more.
  package var gain: Double {
    guard let q4Loss, let int8Loss, int8Bytes > q4Bytes else { return 0 }
    return (q4Loss - int8Loss) / Double(int8Bytes - q4Bytes)
  }

  /// Blocks of 16 rows that are encoded of a matrix, at even distances: the relative error of a code hardly differs from
  /// one part of a matrix to another.
  private static let blocks = 16

  /// Measures all groups of a checkpoint.
  ///
  /// - Parameters:
  ///   - statistics: the file's content, of this checkpoint.
  ///   - threads: no bit depends on their number.
  ///   - check: called often, on any thread; what it throws ends the work.
  ///   - progress: receives the share done, 0 to 1.
  /// - Throws: `InputError` and `CheckpointError` where weights cannot be read, and what `check` throws.
  package static func measure(
    _ checkpoint: Checkpoint, _ statistics: CalibrationStatistics, threads: Int,
    check: @escaping @Sendable () throws -> Void = {}, progress: (Double) -> Void = { _ in }
  ) throws -> [CodeLoss] {
    let importance = ColumnImportance(statistics)
    let groups = CodeGroup.groups(of: checkpoint.config) { statistics.sums(of: $0)?.allRows ?? 0 }
    let matrices = groups.flatMap(\.matrices)
    let windows = WindowPool()
    var measured: [Errors?] = []
    try OrderedWork(threads: threads, budget: .max).run(costs: matrices.map { _ in 0 }) { index -> Errors? in
      try check()
      return try importance[matrices[index].name].map { columns in
        try windows.withWindow { try errors(of: matrices[index], columns.values, checkpoint, $0) }
      }
    } finish: { index, errors in
      measured.append(errors)
      progress(Double(index + 1) / Double(matrices.count))
    }
    var place = 0
    return groups.map { group in
      var sum: Errors?
      for matrix in group.matrices {
        if let errors = measured[place] {
          sum = Errors(
            q4: (sum?.q4 ?? 0) + matrix.share * errors.q4, int8: (sum?.int8 ?? 0) + matrix.share * errors.int8
          )
        }
        place += 1
      }
      return CodeLoss(group, q4Loss: sum?.q4, int8Loss: sum?.int8)
    }
  }

  /// Squares of weighted relative errors.
  private struct Errors: Sendable {
    var q4: Double
    var int8: Double
  }

  private static func errors(
    of matrix: CodeGroup.Matrix, _ importance: [Float], _ checkpoint: Checkpoint, _ window: WeightWindow
  ) throws -> Errors {
    let source = try checkpoint.tensor(matrix.name, shape: matrix.shape)
    let (rows, columns) = (matrix.shape[0], matrix.shape.dropFirst().reduce(1, *))
    let all = (rows + 15) / 16
    let taken = min(all, blocks)
    var errors = [vl2_code_error(), vl2_code_error()]
    let codes = [UInt32(VL2_CODE_Q4), UInt32(VL2_CODE_I8)]
    // Kernels write whole blocks of 64-byte lines.
    let room = codes.map { vl2_block_bytes($0, columns) }.max() ?? 0
    let block = UnsafeMutableRawPointer.allocate(byteCount: max(64, room), alignment: 64)
    defer { block.deallocate() }
    for number in 0..<taken {
      let first = number * all / taken * 16
      let part = first..<min(rows, first + 16)
      let weights = try window.weights(of: source, part.lowerBound * columns..<part.upperBound * columns)
      for (place, code) in codes.enumerated() {
        importance.withUnsafeBufferPointer {
          vl2_encode_weighted(
            code, weights.baseAddress, columns, part.count, columns, $0.baseAddress,
            block.assumingMemoryBound(to: UInt8.self), &errors[place])
        }
      }
    }
    let loss = errors.map { $0.weighted_energy > 0 ? $0.weighted_error / $0.weighted_energy : 0 }
    return Errors(q4: loss[0], int8: loss[1])
  }
}

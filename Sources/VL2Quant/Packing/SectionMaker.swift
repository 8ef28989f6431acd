import VL2Base

/// Makes the raw bytes of sections.
struct SectionMaker: Sendable {
  var source: any WeightSource
  /// Threads for a section that is large by itself (embedding, head); other sections use one.
  var threads: Int
  /// Called often, on any thread. Throwing from it cancels the work.
  var check: @Sendable () throws -> Void

  /// Weights in a piece: few enough that their float32 form stays in a core's cache.
  private static let weightsAtATime = 1 << 18
  /// A section with at least this many weights is worth several threads.
  private static let largeSection = 1 << 25

  private struct Piece: Sendable {
    var tensor: Int
    var rows: Range<Int>
  }

  /// The section's tensors with their measured errors, and its bytes.
  ///
  /// - Throws: what `source` or `check` throws.
  func make(_ plan: SectionPlan) throws -> (tensors: [TensorEntry], bytes: [UInt8]) {
    let pieces = plan.tensors.enumerated().flatMap { index, tensor in
      WeightExtent(tensor).ranges(ofWeights: Self.weightsAtATime).map { Piece(tensor: index, rows: $0) }
    }
    let work = OrderedWork(threads: plan.weights >= Self.largeSection ? threads : 1, budget: .max)
    var errors = [CodeError](repeating: CodeError(), count: plan.tensors.count)
    let bytes = try [UInt8](unsafeUninitializedCapacity: plan.length) { buffer, count in
      // Pieces write to different places.
      nonisolated(unsafe) let section = UnsafeMutableRawBufferPointer(buffer)
      plan.clearPadding(section)
      try work.run(costs: pieces.map { _ in 0 }) { index in
        try check()
        return try source.write(plan.tensors[pieces[index].tensor], rows: pieces[index].rows, to: section)
      } finish: { index, error in
        errors[pieces[index].tensor].append(error)
      }
      count = plan.length
    }
    return (plan.tensors(with: errors), bytes)
  }
}

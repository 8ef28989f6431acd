import SIMDKernels
import VL2Quant

/// A feed-forward layer of routed and shared experts, or a dense one (shared weights alone).
///
/// Rows are grouped by expert, so that an expert's weights are read once however many rows picked it. The sum
/// of a row does not depend on other rows and is always added up in one order: the shared output, then its
/// experts in ascending order.
package final class MixtureOfExperts {
  private let layer: Int
  private var router: Router?
  /// Whether the layer has routed experts.
  package let isRouted: Bool
  private let kept: Int
  private let experts: Int
  private let expertWidth: Int
  private let shared: GatedWeights?
  private let expertsTakeInt8: Bool
  private let store: any ExpertStore
  private let scratch: FeedForwardScratch
  private let arithmetic: Arithmetic

  /// - Parameters:
  ///   - router: nil for a dense layer.
  ///   - shared: the shared experts, or the dense layer's weights.
  ///   - expertsTakeInt8: whether kernels multiply all routed experts by int8 rows.
  package init(
    layer: Int, router: consuming Router?, config: LanguageConfig, shared: GatedWeights?,
    expertsTakeInt8: Bool, store: any ExpertStore, scratch: FeedForwardScratch, arithmetic: Arithmetic
  ) {
    self.layer = layer
    isRouted = router != nil
    self.router = router
    kept = isRouted ? config.routing?.expertsPerToken ?? 0 : 0
    experts = config.routing?.experts ?? 0
    expertWidth = config.expertWidth
    self.shared = shared
    self.expertsTakeInt8 = expertsTakeInt8
    self.store = store
    self.scratch = scratch
    self.arithmetic = arithmetic
  }

  /// Adds the layer's output to `residual`.
  ///
  /// - Parameters:
  ///   - x: normalised rows, [count][hidden].
  ///   - chunk: rows that go through the weights together; no bit depends on it.
  ///   - forced: expert ids to take instead of the router's, [count][kept].
  ///   - lookAhead: called at most once, when the store wants to be told about later layers, with what is
  ///     known of this layer's output by then.
  ///   - afterPart: called between parts of more than a chunk of rows.
  /// - Throws: what the store and `afterPart` throw.
  package func apply(
    _ x: Rows, addingTo residual: Rows, chunk: Int, forced: UnsafeBufferPointer<Int32>? = nil,
    observer: StageObserver? = nil, lookAhead: (Rows) -> Void = { _ in }, afterPart: () throws -> Void = {}
  ) throws {
    let (count, hidden) = (x.count, x.columns)
    // With more rows than a chunk, experts come in ascending order and their outputs are added up at once.
    // Otherwise they come in any order, and their outputs are added up at the end.
    let inOrder = count > chunk
    var looksWhileWaiting =
      store.prefetchMode == .whileWaiting && count <= PrefetchMode.guessedRows && !inOrder
    if isRouted {
      arithmetic.enter(.router)
      router?.route(x, forced: forced, into: &scratch.picks)
      observer?.observeRoutes(
        layer: layer, experts: Array(scratch.picks.experts.elements),
        weights: Array(scratch.picks.weights.elements), perRow: kept)
      groupRowsByExpert(count: count)
      try store.begin(layer: layer, experts: scratch.groups.elements, rows: count, inOrder: inOrder)
      if !looksWhileWaiting && store.prefetchMode != .never { lookAhead(residual) }
    } else {
      scratch.groups.removeAll()
    }
    arithmetic.enter(.inner)
    let groups = scratch.groups.elements
    let input = arithmetic.prepare(x, onlyInt8: expertsTakeInt8 && shared?.takesInt8 ?? true)
    let sum = Rows(scratch.sum.reserve(count * hidden), count: count, columns: hidden)
    if shared == nil { sum.base.update(repeating: 0, count: count * hidden) }
    var dense = shared == nil ? nil : 0..<count
    if inOrder && shared != nil {
      for first in stride(from: 0, to: count, by: chunk) {
        run(
          .init(start: nil, count: 0), dense: first..<min(count, first + chunk), input, outputs: sum,
          placesFrom: 0, sum: sum)
        try afterPart()
      }
      dense = nil
    }

    let mostPairs = inOrder ? chunk * kept : count * kept
    let out = Rows(scratch.routedOut.reserve(mostPairs * hidden), count: mostPairs, columns: hidden)
    var given = 0
    scratch.isGiven.fill(false, count: groups.count)
    while given < groups.count || dense != nil {
      scratch.tasks.removeAll()
      if given < groups.count {
        let most = inOrder ? prefixCount(groups[given...], pairs: mostPairs) : groups.count - given
        try store.next(most: most, waiting: false, into: &scratch.ready)
        if scratch.ready.count == 0 && dense == nil {
          if looksWhileWaiting { lookAhead(outputSoFar(residual, sum: sum, out)) }
          looksWhileWaiting = false
          try store.next(most: most, waiting: true, into: &scratch.ready)
        }
        for ready in scratch.ready.elements {
          scratch.isGiven[ready.place] = true
          scratch.tasks.append(.init(pairs: groups[ready.place].pairs, weights: ready.weights))
        }
        given += scratch.tasks.count
      }
      if !inOrder {
        run(scratch.tasks.elements, dense: dense, input, outputs: out, placesFrom: 0, sum: sum)
      } else {
        runInOrder(scratch.tasks.elements, input, outputs: out, sum: sum)
        try afterPart()
      }
      dense = nil
    }
    arithmetic.enter(.sum)
    if !inOrder { combine(out, places: 0..<mostPairs, into: sum) }
    let kernels = vl2_kernels_active().pointee
    arithmetic.forEachRowRange(count) { range in
      for row in range { kernels.add(residual[row], sum[row], hidden) }
    }
  }

  /// The layer's output without the experts that were not given yet.
  ///
  /// - Parameters:
  ///   - sum: shared outputs.
  ///   - outputs: [pairs][hidden] of the experts that were given; the rows of the others are set to zero.
  private func outputSoFar(_ residual: Rows, sum: Rows, _ outputs: Rows) -> Rows {
    let (count, hidden) = (sum.count, sum.columns)
    for place in 0..<scratch.groups.count where !scratch.isGiven[place] {
      let pairs = scratch.groups[place].pairs
      outputs.slice(pairs).base.update(repeating: 0, count: pairs.count * hidden)
    }
    let output = Rows(scratch.outputSoFar.reserve(count * hidden), count: count, columns: hidden)
    let kernels = vl2_kernels_active().pointee
    for row in 0..<count {
      output[row].update(from: residual[row], count: hidden)
      kernels.add(output[row], sum[row], hidden)
    }
    combine(outputs, places: 0..<count * kept, into: output)
    return output
  }

  /// Computes experts with consecutive pairs, at most as many pairs at a time as `outputs` has rows, and adds
  /// their outputs to `sum` at once.
  private func runInOrder(
    _ tasks: UnsafeBufferPointer<FeedForwardScratch.ExpertTask>, _ input: PreparedRows, outputs: Rows,
    sum: Rows
  ) {
    guard let first = tasks.first, let last = tasks.last else { return }
    func run(_ tasks: UnsafeBufferPointer<FeedForwardScratch.ExpertTask>, _ places: Range<Int>) {
      self.run(tasks, dense: nil, input, outputs: outputs, placesFrom: places.lowerBound, sum: sum)
      combine(outputs, places: places, into: sum)
    }
    if tasks.count > 1 { return run(tasks, first.pairs.lowerBound..<last.pairs.upperBound) }
    // One expert may have more pairs than fit.
    for start in stride(from: first.pairs.lowerBound, to: first.pairs.upperBound, by: outputs.count) {
      let pairs = start..<min(first.pairs.upperBound, start + outputs.count)
      let part = FeedForwardScratch.ExpertTask(pairs: pairs, weights: first.weights)
      withUnsafePointer(to: part) { run(.init(start: $0, count: 1), pairs) }
    }
  }

  /// Experts that this layer's router would pick for rows, likeliest first: each row's best, then each row's second.
  ///
  /// - Parameter x: normalised rows, [count][hidden].
  package func picks(for x: Rows) -> [Int] {
    guard isRouted else { return [] }
    router?.route(x, into: &scratch.guesses)
    var seen: Set<Int> = []
    var picks: [Int] = []
    for place in 0..<kept {
      for row in 0..<x.count {
        let expert = Int(scratch.guesses.experts[row * kept + place])
        if seen.insert(expert).inserted { picks.append(expert) }
      }
    }
    return picks
  }

  /// Frees the scratch that many rows needed.
  package func releaseScratch() { scratch.release() }

  /// How many groups from the first on have at most `pairs` pairs together; at least 1.
  private func prefixCount(_ groups: Slice<UnsafeBufferPointer<ExpertUse>>, pairs: Int) -> Int {
    var (count, sum) = (0, 0)
    for group in groups {
      sum += group.pairs.count
      if sum > pairs && count > 0 { break }
      count += 1
    }
    return count
  }

  /// Computes experts for the rows that picked them. Where `dense` names rows, it also computes the shared
  /// weights for these rows. Gate, up and the activation of all are one parallel job, down of all is another.
  ///
  /// - Parameters:
  ///   - outputs: [pairs][hidden]: a pair's output is written to its place minus `placesFrom`.
  ///   - sum: [count][hidden]: the shared output is written to its row.
  private func run(
    _ tasks: UnsafeBufferPointer<FeedForwardScratch.ExpertTask>, dense: Range<Int>?, _ input: PreparedRows,
    outputs: Rows, placesFrom: Int, sum: Rows
  ) {
    var pairs = 0
    for task in tasks { pairs += task.pairs.count }
    let shared = dense == nil ? nil : shared
    let denseRows = dense ?? 0..<0
    let denseWidth = shared?.inner ?? 0
    let routed = Rows(
      scratch.routedInner.reserve(pairs * expertWidth), count: pairs, columns: expertWidth)
    let densePairs = denseRows.count
    let inner = Rows(
      scratch.sharedInner.reserve(densePairs * denseWidth), count: densePairs, columns: denseWidth)
    let numbers = scratch.consecutive(max(pairs, denseRows.upperBound))
    scratch.products.removeAll()
    // In the order of the file.
    if let shared {
      scratch.products.append(
        Product(
          shared.up, gate: shared.gate, input, index: numbers.map { $0 + denseRows.lowerBound },
          count: densePairs, into: inner))
    }
    var local = 0
    for task in tasks {
      let places = local..<local + task.pairs.count
      scratch.products.append(
        Product(
          task.weights.up, gate: task.weights.gate, input,
          index: scratch.rowsByExpert.base.map { $0 + task.pairs.lowerBound }, count: places.count,
          into: routed.slice(places)))
      local = places.upperBound
    }
    arithmetic.enter(.inner)
    arithmetic.tap?.take(.consecutive(first: 0))
    arithmetic.multiply(scratch.products.elements)

    arithmetic.enter(.down)
    if let tap = arithmetic.tap {
      let first = tasks.first?.pairs.lowerBound ?? 0
      tap.take(.pairs(first: denseRows.lowerBound, rows: scratch.rowsByExpert.base.map { $0 + first }))
    }
    scratch.products.removeAll()
    if let shared {
      let prepared = arithmetic.prepare(inner, onlyInt8: shared.down.takesInt8, in: &scratch.preparedShared)
      scratch.products.append(Product(shared.down, prepared, count: densePairs, into: sum.slice(denseRows)))
    }
    if pairs > 0 {
      let prepared = arithmetic.prepare(routed, onlyInt8: expertsTakeInt8, in: &scratch.preparedRouted)
      local = 0
      for task in tasks {
        let places = task.pairs.lowerBound - placesFrom..<task.pairs.upperBound - placesFrom
        scratch.products.append(
          Product(
            task.weights.down, prepared, index: numbers.map { $0 + local }, count: places.count,
            into: outputs.slice(places)))
        local += places.count
      }
    }
    arithmetic.multiply(scratch.products.elements)
  }

  /// Sorts (row, expert) pairs by expert, rows of an expert in ascending order.
  private func groupRowsByExpert(count: Int) {
    scratch.groups.removeAll()
    if kept == 0 { return }
    let picked = scratch.picks.experts.elements
    scratch.next.fill(0, count: experts + 1)
    let next = scratch.next.mutableElements
    for expert in picked { next[Int(expert) + 1] += 1 }
    for expert in 0..<experts {
      let first = next[expert]
      next[expert + 1] += first
      let pairs = first..<next[expert + 1]
      if !pairs.isEmpty { scratch.groups.append(ExpertUse(expert: expert, pairs: pairs)) }
    }
    scratch.rowsByExpert.fill(0, count: count * kept)
    scratch.pairOfPick.fill(0, count: count * kept)
    for pick in 0..<count * kept {
      let expert = Int(picked[pick])
      let place = next[expert]
      scratch.rowsByExpert[place] = UInt32(pick / kept)
      scratch.pairOfPick[pick] = place
      next[expert] += 1
    }
  }

  /// sum += weight * output for every pair of `places`, the experts of a row in ascending order. The shared
  /// output was added before.
  ///
  /// - Parameter outputs: of the pairs of `places`, in their order.
  private func combine(_ outputs: Rows, places: Range<Int>, into sum: Rows) {
    if places.isEmpty { return }
    let kernels = vl2_kernels_active().pointee
    let kept = kept
    let (pairOfPick, weights) = (scratch.pairOfPick.elements, scratch.picks.weights.elements)
    arithmetic.forEachRowRange(sum.count) { range in
      for row in range {
        // Places ascend with experts.
        var next = places.lowerBound
        while true {
          var (best, pick) = (places.upperBound, 0)
          for candidate in row * kept..<(row + 1) * kept {
            let place = pairOfPick[candidate]
            if place >= next && place < best { (best, pick) = (place, candidate) }
          }
          if best == places.upperBound { break }
          kernels.add_scaled(sum[row], outputs[best - places.lowerBound], weights[pick], sum.columns)
          next = best + 1
        }
      }
    }
  }
}

import SIMDKernels
import VL2Quant

/// A feed-forward layer of routed and shared experts, or a dense one (shared weights alone).
///
/// Rows are grouped by expert, so that an expert's weights are read once however many rows picked it. A row's sum is
/// formed by itself and in one order: the shared output, then its experts in ascending order.
package final class MixtureOfExperts {
  private let layer: Int
  private let router: Router?
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
    layer: Int, router: Router?, config: LanguageConfig, shared: GatedWeights?, expertsTakeInt8: Bool,
    store: any ExpertStore, scratch: FeedForwardScratch, arithmetic: Arithmetic
  ) {
    self.layer = layer
    self.router = router
    kept = router == nil ? 0 : config.routing?.expertsPerToken ?? 0
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
  ///   - lookAhead: called at most once, when the store wants to be told of layers to come, with what is known of this
  ///     layer's output by then.
  /// - Throws: what the store throws.
  package func apply(
    _ x: Rows, addingTo residual: Rows, chunk: Int, forced: [Int32]? = nil, observer: StageObserver? = nil,
    lookAhead: (Rows) -> Void = { _ in }
  ) throws {
    let (count, hidden) = (x.count, x.columns)
    // Where there are more rows than a chunk, experts come in ascending order and what they give is added up at
    // once; otherwise in any order, and it is added up at the end.
    let inOrder = count > chunk
    var looksWhileWaiting = store.foresight == .whileWaiting && count <= Decoder.guessedRows && !inOrder
    if let router {
      arithmetic.enter(.router)
      router.route(x, forced: forced, experts: &scratch.picked, weights: &scratch.pickedWeights)
      observer?.observeRoutes(
        layer: layer, experts: scratch.picked, weights: scratch.pickedWeights, perRow: kept)
      groupRowsByExpert(count: count)
      try store.begin(
        layer: layer, experts: scratch.groups.map { ($0.expert, $0.pairs.count) }, rows: count,
        inOrder: inOrder)
      if !looksWhileWaiting && store.foresight != .never { lookAhead(residual) }
    } else {
      scratch.groups.removeAll(keepingCapacity: true)
    }
    arithmetic.enter(.inner)
    let groups = scratch.groups
    let input = arithmetic.prepare(x, onlyInt8: expertsTakeInt8 && shared?.takesInt8 ?? true, slot: 0)
    let sum = Rows(scratch.sum.reserve(count * hidden), count: count, columns: hidden)
    if shared == nil { sum.base.update(repeating: 0, count: count * hidden) }
    var dense = shared == nil ? nil : 0..<count
    if inOrder && shared != nil {
      for first in stride(from: 0, to: count, by: chunk) {
        run([], dense: first..<min(count, first + chunk), input, outputs: sum, placesFrom: 0, sum: sum)
      }
      dense = nil
    }

    let mostPairs = inOrder ? chunk * kept : count * kept
    let out = Rows(scratch.routedOut.reserve(mostPairs * hidden), count: mostPairs, columns: hidden)
    var given = 0
    scratch.isGiven.removeAll(keepingCapacity: true)
    scratch.isGiven.append(contentsOf: repeatElement(false, count: groups.count))
    while given < groups.count || dense != nil {
      var batch: [Task] = []
      if given < groups.count {
        let most = inOrder ? prefixCount(groups[given...], pairs: mostPairs) : groups.count - given
        var ready = try store.next(most: most, waiting: false)
        if ready.isEmpty && dense == nil {
          if looksWhileWaiting { lookAhead(outputSoFar(residual, sum: sum, out)) }
          looksWhileWaiting = false
          ready = try store.next(most: most, waiting: true)
        }
        for (place, _) in ready { scratch.isGiven[place] = true }
        batch = ready.map { Task(pairs: groups[$0.place].pairs, weights: $0.weights) }
        given += batch.count
      }
      if !inOrder {
        run(batch, dense: dense, input, outputs: out, placesFrom: 0, sum: sum)
      } else {
        // One expert may have more pairs than fit.
        for part in parts(of: batch, pairs: mostPairs) {
          guard let first = part.first?.pairs.lowerBound, let last = part.last?.pairs.upperBound else {
            continue
          }
          run(part, dense: nil, input, outputs: out, placesFrom: first, sum: sum)
          combine(out, places: first..<last, into: sum)
        }
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
  ///   - outputs: [pairs][hidden] of the experts that were given; the others' rows are overwritten.
  private func outputSoFar(_ residual: Rows, sum: Rows, _ outputs: Rows) -> Rows {
    let (count, hidden) = (sum.count, sum.columns)
    for (group, isGiven) in zip(scratch.groups, scratch.isGiven) where !isGiven {
      outputs.slice(group.pairs).base.update(repeating: 0, count: group.pairs.count * hidden)
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

  /// Experts that this layer's router would pick for rows, likeliest first: each row's best, then each row's second.
  ///
  /// - Parameter x: normalised rows, [count][hidden].
  package func picks(for x: Rows) -> [Int] {
    guard let router else { return [] }
    router.route(x, experts: &scratch.guessed, weights: &scratch.guessedWeights)
    var seen: Set<Int> = []
    var picks: [Int] = []
    for place in 0..<kept {
      for row in 0..<x.count {
        let expert = Int(scratch.guessed[row * kept + place])
        if seen.insert(expert).inserted { picks.append(expert) }
      }
    }
    return picks
  }

  /// Gives back what many rows needed.
  package func releaseScratch() { scratch.release() }

  /// Whether the layer has routed experts.
  package var isRouted: Bool { router != nil }

  /// An expert with the rows that picked it.
  private struct Task {
    /// Places in `rowsByExpert`.
    var pairs: Range<Int>
    var weights: GatedWeights
  }

  /// How many groups from the first on have at most `pairs` pairs together; at least 1.
  private func prefixCount(_ groups: ArraySlice<Group>, pairs: Int) -> Int {
    var (count, sum) = (0, 0)
    for group in groups {
      sum += group.pairs.count
      if sum > pairs && count > 0 { break }
      count += 1
    }
    return count
  }

  /// Tasks cut so that each part has at most `pairs` pairs.
  private func parts(of tasks: [Task], pairs: Int) -> [[Task]] {
    guard let task = tasks.first, tasks.count == 1 else { return [tasks] }
    return stride(from: task.pairs.lowerBound, to: task.pairs.upperBound, by: pairs).map { first in
      [Task(pairs: first..<min(task.pairs.upperBound, first + pairs), weights: task.weights)]
    }
  }

  /// Computes experts for the rows that picked them and, where `dense` names rows, the shared weights for those:
  /// gate, up and the activation of all in one parallel job, down of all in another.
  ///
  /// - Parameters:
  ///   - outputs: [pairs][hidden]: a pair's output is written to its place less `placesFrom`.
  ///   - sum: [count][hidden]: the shared output is written to its row.
  private func run(
    _ tasks: [Task], dense: Range<Int>?, _ input: PreparedRows, outputs: Rows, placesFrom: Int, sum: Rows
  ) {
    let pairs = tasks.reduce(0) { $0 + $1.pairs.count }
    let shared = dense == nil ? nil : shared
    let denseRows = dense ?? 0..<0
    let denseWidth = shared?.inner ?? 0
    let routed = Rows(
      scratch.routedInner.reserve(pairs * expertWidth), count: pairs, columns: expertWidth)
    let densePairs = denseRows.count
    let inner = Rows(
      scratch.sharedInner.reserve(densePairs * denseWidth), count: densePairs, columns: denseWidth)
    let numbers = scratch.consecutive(max(pairs, denseRows.upperBound))
    scratch.rowsByExpert.withUnsafeBufferPointer { rows in
      numbers.withUnsafeBufferPointer { numbers in
        var products: [Product] = []
        products.reserveCapacity(tasks.count + 1)
        // In the order of the file.
        if let shared {
          let index = numbers.baseAddress.map { $0 + denseRows.lowerBound }
          products.append(
            Product(shared.up, gate: shared.gate, input, index: index, count: densePairs, into: inner))
        }
        var local = 0
        for task in tasks {
          let index = rows.baseAddress.map { $0 + task.pairs.lowerBound }
          let places = local..<local + task.pairs.count
          products.append(
            Product(
              task.weights.up, gate: task.weights.gate, input, index: index, count: places.count,
              into: routed.slice(places)))
          local = places.upperBound
        }
        arithmetic.enter(.inner)
        arithmetic.multiply(products)

        arithmetic.enter(.down)
        products.removeAll(keepingCapacity: true)
        if let shared {
          let prepared = arithmetic.prepare(inner, for: [shared.down], slot: 2)
          products.append(Product(shared.down, prepared, count: densePairs, into: sum.slice(denseRows)))
        }
        if pairs > 0 {
          let prepared = arithmetic.prepare(routed, onlyInt8: expertsTakeInt8, slot: 1)
          local = 0
          for task in tasks {
            let index = numbers.baseAddress.map { $0 + local }
            let places = task.pairs.lowerBound - placesFrom..<task.pairs.upperBound - placesFrom
            products.append(
              Product(
                task.weights.down, prepared, index: index, count: places.count, into: outputs.slice(places)))
            local += places.count
          }
        }
        arithmetic.multiply(products)
      }
    }
  }

  fileprivate struct Group {
    var expert: Int
    /// Places in `rowsByExpert`.
    var pairs: Range<Int>
  }

  /// Sorts (row, expert) pairs by expert, rows of an expert in ascending order.
  private func groupRowsByExpert(count: Int) {
    scratch.groups.removeAll(keepingCapacity: true)
    if kept == 0 { return }
    scratch.next.removeAll(keepingCapacity: true)
    scratch.next.append(contentsOf: repeatElement(0, count: experts + 1))
    for expert in scratch.picked { scratch.next[Int(expert) + 1] += 1 }
    for expert in 0..<experts {
      let first = scratch.next[expert]
      scratch.next[expert + 1] += first
      let pairs = first..<scratch.next[expert + 1]
      if !pairs.isEmpty { scratch.groups.append(Group(expert: expert, pairs: pairs)) }
    }
    if scratch.rowsByExpert.count != count * kept {
      scratch.rowsByExpert = .init(repeating: 0, count: count * kept)
      scratch.pairOfPick = .init(repeating: 0, count: count * kept)
    }
    for pick in 0..<count * kept {
      let expert = Int(scratch.picked[pick])
      let place = scratch.next[expert]
      scratch.rowsByExpert[place] = UInt32(pick / kept)
      scratch.pairOfPick[pick] = place
      scratch.next[expert] += 1
    }
  }

  /// sum += weight * output for every pair of `places`, experts of a row in ascending order: the shared output came
  /// first.
  ///
  /// - Parameter outputs: of the pairs of `places`, in their order.
  private func combine(_ outputs: Rows, places: Range<Int>, into sum: Rows) {
    if places.isEmpty { return }
    let kernels = vl2_kernels_active().pointee
    let kept = kept
    let (places, pairOfPick, weights) = (places, scratch.pairOfPick, scratch.pickedWeights)
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

/// Memory that the feed-forward parts of all layers share, since one layer works at a time.
package final class FeedForwardScratch {
  fileprivate let routedInner = AlignedBuffer()
  fileprivate let sharedInner = AlignedBuffer()
  fileprivate let routedOut = AlignedBuffer()
  fileprivate let sum = AlignedBuffer()
  fileprivate let outputSoFar = AlignedBuffer()
  /// By group: whether the store gave the expert.
  fileprivate var isGiven: [Bool] = []
  fileprivate var picked: [Int32] = []
  fileprivate var pickedWeights: [Float] = []
  fileprivate var guessed: [Int32] = []
  fileprivate var guessedWeights: [Float] = []
  fileprivate var rowsByExpert: [UInt32] = []
  fileprivate var pairOfPick: [Int] = []
  fileprivate var groups: [MixtureOfExperts.Group] = []
  /// For each expert the place of its next pair.
  fileprivate var next: [Int] = []
  private var numbers: [UInt32] = []

  package init() {}

  fileprivate func release() {
    for buffer in [routedInner, sharedInner, routedOut, sum, outputSoFar] { buffer.release() }
    (
      picked, pickedWeights, guessed, guessedWeights, rowsByExpert, pairOfPick, groups, isGiven, next, numbers
    ) = (
      [], [], [], [], [], [], [], [], [], []
    )
  }

  /// 0, 1, 2, ... at least up to `count`.
  fileprivate func consecutive(_ count: Int) -> [UInt32] {
    if numbers.count < count { numbers = (0..<UInt32(count)).map { $0 } }
    return numbers
  }
}

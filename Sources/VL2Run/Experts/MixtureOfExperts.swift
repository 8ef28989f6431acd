import SIMDKernels
import VL2Quant

/// A feed-forward layer of routed and shared experts, or a dense one (shared weights alone).
///
/// Rows are grouped by expert, so that an expert's weights are read once however many rows picked it.
package final class MixtureOfExperts {
  private let layer: Int
  private let router: Router?
  private let kept: Int
  private let experts: Int
  private let expertWidth: Int
  private let shared: GatedWeights?
  private let store: any ExpertStore
  private let scratch: FeedForwardScratch
  private let arithmetic: Arithmetic

  /// - Parameters:
  ///   - router: nil for a dense layer.
  ///   - shared: the shared experts, or the dense layer's weights.
  package init(
    layer: Int, router: Router?, config: LanguageConfig, shared: GatedWeights?, store: any ExpertStore,
    scratch: FeedForwardScratch, arithmetic: Arithmetic
  ) {
    self.layer = layer
    self.router = router
    kept = router == nil ? 0 : config.routing?.expertsPerToken ?? 0
    experts = config.routing?.experts ?? 0
    expertWidth = config.expertWidth
    self.shared = shared
    self.store = store
    self.scratch = scratch
    self.arithmetic = arithmetic
  }

  /// Adds the layer's output to `residual`.
  ///
  /// - Parameters:
  ///   - x: normalised rows, [count][hidden].
  ///   - forced: expert ids to take instead of the router's, [count][kept].
  package func apply(
    _ x: Rows, addingTo residual: Rows, forced: [Int32]? = nil, observer: StageObserver? = nil
  ) throws {
    let (count, hidden) = (x.count, x.columns)
    router?.route(x, forced: forced, experts: &scratch.picked, weights: &scratch.pickedWeights)
    if router != nil {
      observer?.observeRoutes(
        layer: layer, experts: scratch.picked, weights: scratch.pickedWeights, perRow: kept)
    }
    let pairs = count * kept
    let active = groupRowsByExpert(count: count)
    try store.begin(layer: layer, experts: active.map(\.expert))
    let weights = try active.map { try store.expert(layer: layer, $0.expert) }

    // gate and up of all experts that were picked and of the shared ones: one parallel job
    let sharedWidth = shared?.inner ?? 0
    let routed = Rows(
      scratch.routedInner.reserve(2 * pairs * expertWidth), count: pairs, columns: expertWidth)
    let routedUp = Rows(routed.base + pairs * expertWidth, count: pairs, columns: expertWidth)
    let dense = Rows(scratch.sharedInner.reserve(2 * count * sharedWidth), count: count, columns: sharedWidth)
    let denseUp = Rows(dense.base + count * sharedWidth, count: count, columns: sharedWidth)
    let linears = (shared.map { [$0.gate] } ?? []) + (weights.first.map { [$0.gate] } ?? [])
    let input = arithmetic.prepare(x, for: linears)
    scratch.rowsByExpert.withUnsafeBufferPointer { index in
      var products: [Product] = []
      products.reserveCapacity(2 * active.count + 2)
      for (group, weights) in zip(active, weights) {
        let rows = index.baseAddress! + group.pairs.lowerBound
        products.append(
          Product(
            weights.gate, input, index: rows, count: group.pairs.count, into: routed.slice(group.pairs)))
        products.append(
          Product(weights.up, input, index: rows, count: group.pairs.count, into: routedUp.slice(group.pairs))
        )
      }
      if let shared {
        products.append(Product(shared.gate, input, count: count, into: dense))
        products.append(Product(shared.up, input, count: count, into: denseUp))
      }
      arithmetic.multiply(products)
    }
    activate(routed, up: routedUp)
    activate(dense, up: denseUp)

    // down of all: one parallel job
    let routedOut = Rows(scratch.routedOut.reserve(pairs * hidden), count: pairs, columns: hidden)
    let denseOut = Rows(scratch.sharedOut.reserve(count * hidden), count: count, columns: hidden)
    var products: [Product] = []
    if pairs > 0 {
      let inner = arithmetic.prepare(routed, for: weights.first.map { [$0.down] } ?? [], slot: 0)
      scratch.consecutive(pairs).withUnsafeBufferPointer { index in
        for (group, weights) in zip(active, weights) {
          products.append(
            Product(
              weights.down, inner, index: index.baseAddress! + group.pairs.lowerBound,
              count: group.pairs.count, into: routedOut.slice(group.pairs)))
        }
        if let shared { products.append(sharedDown(shared, dense, into: denseOut)) }
        arithmetic.multiply(products)
      }
    } else if let shared {
      arithmetic.multiply([sharedDown(shared, dense, into: denseOut)])
    }
    combine(routedOut, denseOut, into: residual)
  }

  private func sharedDown(_ shared: GatedWeights, _ inner: Rows, into out: Rows) -> Product {
    Product(
      shared.down, arithmetic.prepare(inner, for: [shared.down], slot: 1), count: inner.count, into: out)
  }

  private struct Group {
    var expert: Int
    /// Places in `rowsByExpert`.
    var pairs: Range<Int>
  }

  /// Sorts (row, expert) pairs by expert, rows of an expert in ascending order.
  private func groupRowsByExpert(count: Int) -> [Group] {
    if kept == 0 { return [] }
    var next = [Int](repeating: 0, count: experts + 1)
    for expert in scratch.picked { next[Int(expert) + 1] += 1 }
    for expert in 0..<experts { next[expert + 1] += next[expert] }
    let groups = (0..<experts).compactMap { expert in
      next[expert] < next[expert + 1] ? Group(expert: expert, pairs: next[expert]..<next[expert + 1]) : nil
    }
    scratch.rowsByExpert = .init(repeating: 0, count: count * kept)
    scratch.pairOfPick = .init(repeating: 0, count: count * kept)
    for pick in 0..<count * kept {
      let expert = Int(scratch.picked[pick])
      scratch.rowsByExpert[next[expert]] = UInt32(pick / kept)
      scratch.pairOfPick[pick] = next[expert]
      next[expert] += 1
    }
    return groups
  }

  /// gate = silu(gate) * up
  private func activate(_ gate: Rows, up: Rows) {
    let kernels = vl2_kernels_active().pointee
    arithmetic.forEachRowRange(gate.count) { range in
      let first = gate[range.lowerBound]
      kernels.silu_multiply(first, up[range.lowerBound], first, range.count * gate.columns)
    }
  }

  /// residual += sum over the picked experts, best first, of weight * output, plus the shared output. The sum is
  /// formed by itself, so that its order is that of the row's own picks.
  private func combine(_ routed: Rows, _ dense: Rows, into residual: Rows) {
    let kernels = vl2_kernels_active().pointee
    let (kept, columns) = (kept, residual.columns)
    let sum = Rows(scratch.sum.reserve(residual.count * columns), count: residual.count, columns: columns)
    let (pairOfPick, weights) = (scratch.pairOfPick, scratch.pickedWeights)
    let hasShared = shared != nil
    arithmetic.forEachRowRange(residual.count) { range in
      for row in range {
        let target = sum[row]
        target.update(repeating: 0, count: columns)
        for pick in row * kept..<(row + 1) * kept {
          kernels.add_scaled(target, routed[pairOfPick[pick]], weights[pick], columns)
        }
        if hasShared { kernels.add(target, dense[row], columns) }
        kernels.add(residual[row], target, columns)
      }
    }
  }
}

/// Memory that the feed-forward parts of all layers share, since one layer works at a time.
package final class FeedForwardScratch {
  fileprivate let routedInner = AlignedBuffer()
  fileprivate let sharedInner = AlignedBuffer()
  fileprivate let routedOut = AlignedBuffer()
  fileprivate let sharedOut = AlignedBuffer()
  fileprivate let sum = AlignedBuffer()
  fileprivate var picked: [Int32] = []
  fileprivate var pickedWeights: [Float] = []
  fileprivate var rowsByExpert: [UInt32] = []
  fileprivate var pairOfPick: [Int] = []
  private var numbers: [UInt32] = []

  package init() {}

  /// 0, 1, 2, ... at least up to `count`.
  fileprivate func consecutive(_ count: Int) -> [UInt32] {
    if numbers.count < count { numbers = (0..<UInt32(count)).map { $0 } }
    return numbers
  }
}

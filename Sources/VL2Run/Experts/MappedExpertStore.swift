/// Experts as memory-mapped sections of the packed file. Nothing of an expert is read before a row is routed
/// to it, and the system decides what stays in memory.
package final class MappedExpertStore: ExpertStore {
  private let weights: Weights
  private let pool: WorkerPool
  private let hidden: Int
  private let inner: Int
  private let count: Int
  /// By layer and expert: the experts that were read once; nil for the others.
  private var known = PlainList<GatedWeights?>()
  private let layers: Int
  private var layer = 0
  private var wanted = PlainList<Int>()
  private var given = 0
  /// What reads the file meanwhile.
  var readAhead: ReadAhead?
  /// How many experts layers wanted so far.
  private(set) var touched = 0

  package init(_ weights: Weights, pool: WorkerPool) {
    self.weights = weights
    self.pool = pool
    let language = weights.config.language
    hidden = language.hiddenSize
    inner = language.expertWidth
    count = language.routing?.experts ?? 0
    layers = language.layers
    invalidate()
  }

  package let prefetchMode = PrefetchMode.never

  @discardableResult
  package func prefetch(layer: Int, experts: [Int], certain: Bool) -> Bool { false }

  package func begin(
    layer: Int, experts: UnsafeBufferPointer<ExpertUse>, rows: Int, inOrder: Bool
  ) throws {
    self.layer = layer
    wanted.removeAll()
    given = 0
    touched += experts.count
    var areKnown = true
    for use in experts {
      wanted.append(use.expert)
      if known[layer * count + use.expert] == nil { areKnown = false }
    }
    if areKnown { return }
    if let readAhead {
      try readAhead.whileWaiting(layer: layer) { try findWanted() }
    } else {
      try findWanted()
    }
  }

  package func next(most: Int, waiting: Bool, into ready: inout PlainList<ReadyExpert>) throws {
    ready.removeAll()
    let end = min(wanted.count, given + most)
    while given < end {
      if let weights = known[layer * count + wanted[given]] {
        ready.append(ReadyExpert(place: given, weights: weights))
      }
      given += 1
    }
  }

  /// Prepares the wanted experts that were not read before, on all threads.
  private func findWanted() throws {
    let new = wanted.elements.filter { known[layer * count + $0] == nil }
    let sections = new.map { "layer.\(layer).expert.\($0)" }
    for section in sections { weights.file.willNeed(section: section) }
    let failures = Failures()
    pool.run(new.count) { item, _ in failures.catching { try weights.use(sections[item]) } }
    try failures.throwFirst()
    for expert in new {
      known[layer * count + expert] = try GatedWeights(
        weights, "language.model.layers.\(layer).mlp.experts.\(expert)", hidden: hidden, inner: inner)
    }
  }

  /// Forgets which experts were read, because the file is mapped again.
  package func invalidate() { known.fill(nil, count: layers * count) }
}

import VL2Quant

/// Experts as mapped sections of the packed file: nothing of an expert is read before a row is routed to it, and what
/// stays in memory is the system's affair.
package final class MappedExpertStore: ExpertStore {
  private let weights: Weights
  private let pool: WorkerPool
  private let hidden: Int
  private let inner: Int
  private let count: Int
  private var known: [[GatedWeights?]]
  private var layer = 0
  private var wanted: [Int] = []
  private var given = 0
  /// Experts that layers wanted.
  private(set) var touched = 0

  package init(_ weights: Weights, pool: WorkerPool) {
    self.weights = weights
    self.pool = pool
    let language = weights.config.language
    hidden = language.hiddenSize
    inner = language.expertWidth
    count = language.routing?.experts ?? 0
    known = .init(repeating: .init(repeating: nil, count: count), count: language.layers)
  }

  package let foresight = Foresight.never

  package func expect(layer: Int, experts: [Int], certain: Bool) -> Bool { false }

  package func begin(layer: Int, experts: [(expert: Int, rows: Int)], rows: Int, inOrder: Bool) throws {
    self.layer = layer
    wanted = experts.map(\.expert)
    given = 0
    touched += wanted.count
    let new = wanted.filter { known[layer][$0] == nil }
    if new.isEmpty { return }
    let sections = new.map { "layer.\(layer).expert.\($0)" }
    for section in sections { weights.file.willNeed(section: section) }
    let failures = Failures()
    pool.run(new.count) { item, _ in failures.catching { try weights.use(sections[item]) } }
    try failures.throwFirst()
    for index in new { known[layer][index] = try find(layer, index) }
  }

  package func next(most: Int, waiting: Bool) throws -> [(place: Int, weights: GatedWeights)] {
    let places = given..<min(wanted.count, given + most)
    given = places.upperBound
    return places.compactMap { place in known[layer][wanted[place]].map { (place, $0) } }
  }

  private func find(_ layer: Int, _ index: Int) throws -> GatedWeights {
    try GatedWeights(
      weights, "language.model.layers.\(layer).mlp.experts.\(index)", hidden: hidden, inner: inner)
  }

  /// Forgets which experts were read: the file was mapped anew.
  package func forget() {
    known = .init(repeating: .init(repeating: nil, count: count), count: known.count)
  }
}

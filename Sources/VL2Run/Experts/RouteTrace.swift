import VL2Quant

/// What a model's layers asked an expert store for, in order: enough to replay it under any policy and budget.
package struct RouteTrace: Sendable {
  /// One layer of one pass.
  package struct Step: Sendable, Equatable {
    package var layer: Int
    /// Rows that went through the layer.
    package var rows: Int
    /// Experts in ascending order, with the rows that picked each.
    package var experts: [Int]
    package var counts: [Int]
    /// Experts that the layer before guessed, in ascending order; empty where it guessed none.
    package var guessed: [Int]

    package init(layer: Int, rows: Int, experts: [Int], counts: [Int], guessed: [Int] = []) {
      self.layer = layer
      self.rows = rows
      self.experts = experts
      self.counts = counts
      self.guessed = guessed
    }
  }

  package var layers: Int
  package var experts: Int
  package var expertsPerToken: Int
  /// Stored bytes of an expert.
  package var expertBytes: Int
  /// Bytes of a slot.
  package var slotBytes: Int
  package var steps: [Step] = []

  package init(layers: Int, experts: Int, expertsPerToken: Int, expertBytes: Int, slotBytes: Int) {
    self.layers = layers
    self.experts = experts
    self.expertsPerToken = expertsPerToken
    self.expertBytes = expertBytes
    self.slotBytes = slotBytes
  }

  package init(_ file: PackedFile) {
    let language = file.config.language
    let stored = file.manifest.sections.filter { $0.name.contains(".expert.") }.map(\.storedLength)
    self.init(
      layers: language.layers, experts: language.routing?.experts ?? 0,
      expertsPerToken: language.routing?.expertsPerToken ?? 0, expertBytes: stored.max() ?? 0,
      slotBytes: SlotExpertStore.slotBytes(file))
  }

  /// Where a pass begins: a layer that does not come after the one before.
  package var passes: [Range<Int>] {
    var starts = steps.indices.filter { $0 == 0 || steps[$0].layer <= steps[$0 - 1].layer }
    starts.append(steps.count)
    return zip(starts, starts.dropFirst()).map { $0..<$1 }
  }
}

/// Passes every call on to another store and records what was asked for.
package final class RecordingExpertStore: ExpertStore {
  package private(set) var trace: RouteTrace
  private let store: any ExpertStore
  private var guess: (layer: Int, experts: [Int])?

  package init(_ store: any ExpertStore, _ file: PackedFile) {
    self.store = store
    trace = RouteTrace(file)
  }

  package let prefetchMode = PrefetchMode.always

  package func begin(
    layer: Int, experts: UnsafeBufferPointer<ExpertUse>, rows: Int, inOrder: Bool
  ) throws {
    let guessed = guess.map { $0.layer == layer ? $0.experts : [] } ?? []
    guess = nil
    trace.steps.append(
      .init(
        layer: layer, rows: rows, experts: experts.map(\.expert), counts: experts.map(\.pairs.count),
        guessed: guessed))
    try store.begin(layer: layer, experts: experts, rows: rows, inOrder: inOrder)
  }

  package func next(most: Int, waiting: Bool, into ready: inout PlainList<ReadyExpert>) throws {
    try store.next(most: most, waiting: waiting, into: &ready)
  }

  @discardableResult
  package func prefetch(layer: Int, experts: [Int], certain: Bool) -> Bool {
    if !certain { guess = (layer, experts.sorted()) }
    store.prefetch(layer: layer, experts: experts, certain: certain)
    // A trace only records what the layer before guessed.
    return false
  }
}

import VL2Run

/// What a recorded trace costs under a policy with a given number of slots.
package struct RouteReplay: Sendable {
  /// Experts that passes of one token wanted.
  package var touched = 0
  package var hits = 0
  /// Misses that the layer before had guessed.
  package var guessedMisses = 0
  /// Wrong guesses that were read.
  package var wrongReads = 0
  /// Passes of one token.
  package var tokens = 0
  /// Experts that passes of many rows read.
  package var promptReads = 0

  package var misses: Int { touched - hits }
  package var hitRate: Double { touched == 0 ? 0 : Double(hits) / Double(touched) }

  /// Replays a trace through the table that the store uses.
  ///
  /// - Parameters:
  ///   - slots: at least 1.
  ///   - policy: nil for the best possible policy, which knows the future.
  package init(_ trace: RouteTrace, slots: Int, policy: ReplacementPolicy?) {
    let future = policy == nil ? Future(trace) : nil
    var table = SlotTable(
      layers: trace.layers, experts: trace.experts, slots: slots, policy: policy ?? .lru)
    var free = slots
    for pass in trace.passes {
      let isPrompt = trace.steps[pass.lowerBound].rows > PrefetchMode.guessedRows
      if !isPrompt { tokens += 1 }
      for number in pass {
        let step = trace.steps[number]
        let wanted = step.experts.map { table.id(layer: step.layer, expert: $0) }
        table.use(layer: step.layer, zip(step.experts, step.counts).map { ($0, $1) }, rows: step.rows)
        let needed = Set(wanted)
        let missed = wanted.filter { table.slot(of: $0) == nil }
        if isPrompt {
          promptReads += missed.count
        } else {
          touched += wanted.count
          hits += wanted.count - missed.count
          let guessed = Set(step.guessed.map { table.id(layer: step.layer, expert: $0) })
          guessedMisses += missed.count { guessed.contains($0) }
          wrongReads += guessed.count { !needed.contains($0) && table.slot(of: $0) == nil }
        }
        for id in missed {
          if free > 0 {
            free -= 1
            table.put(id, in: free)
            continue
          }
          // The experts of a prompt come in ascending order, and those already computed may be evicted.
          func isIdle(_ other: Int) -> Bool { !needed.contains(other) || isPrompt && other < id }
          let slot: Int?
          if let future {
            slot = table.victim(farthest: { future.nextUse(of: $0, after: number) }, where: isIdle)
          } else if isPrompt {
            slot =
              table.victim { isIdle($1) && $1 / trace.experts <= step.layer } ?? table.victim { isIdle($1) }
          } else {
            slot = table.victim { isIdle($1) }
          }
          // If a layer wants more experts than there are slots, one that was already used is evicted.
          if let slot = slot ?? table.victim(where: { _, _ in true }) { table.put(id, in: slot) }
        }
      }
    }
  }

  /// When each expert is used.
  private struct Future {
    private let experts: Int
    private var uses: [[Int]]

    init(_ trace: RouteTrace) {
      experts = trace.experts
      uses = .init(repeating: [], count: trace.layers * trace.experts)
      for (number, step) in trace.steps.enumerated() {
        for expert in step.experts { uses[step.layer * experts + expert].append(number) }
      }
    }

    func nextUse(of id: Int, after step: Int) -> Int {
      var (low, high) = (0, uses[id].count)
      while low < high {
        let middle = (low + high) / 2
        if uses[id][middle] <= step { low = middle + 1 } else { high = middle }
      }
      return low < uses[id].count ? uses[id][low] : .max
    }
  }
}

extension RouteTrace {
  /// Made-up routes: each token's layers pick experts at random, but with a given probability a pick repeats
  /// one of the token before. A prompt of 256 rows comes first.
  ///
  /// - Parameters:
  ///   - repeated: 0...1.
  ///   - model: gives the shape.
  package static func synthetic(like model: RouteTrace, tokens: Int, repeated: Double, seed: UInt64)
    -> RouteTrace
  {
    var trace = model
    trace.steps = []
    let routedLayers = Set(model.steps.map(\.layer)).sorted()
    let layers = routedLayers.isEmpty ? Array(0..<model.layers) : routedLayers
    for layer in layers {
      let all = Array(0..<model.experts)
      let rows = 256
      let count = max(1, rows * model.expertsPerToken / model.experts)
      trace.steps.append(
        .init(layer: layer, rows: rows, experts: all, counts: all.map { _ in count }, guessed: []))
    }
    var routes = SyntheticRoutes(
      experts: model.experts, kept: model.expertsPerToken, repeated: repeated, seed: seed)
    for _ in 0..<tokens {
      for layer in layers {
        let picks = routes.next(layer: layer).sorted()
        trace.steps.append(
          .init(layer: layer, rows: 1, experts: picks, counts: picks.map { _ in 1 }, guessed: []))
      }
    }
    return trace
  }
}

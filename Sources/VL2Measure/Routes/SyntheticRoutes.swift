import VL2Base

/// Routes for measuring: experts are picked at random, but with a given probability a pick repeats one of the
/// token before.
package struct SyntheticRoutes {
  private let experts: Int
  private let kept: Int
  private let threshold: UInt64
  private var random: RandomBits
  private var last: [Int: [Int]] = [:]

  /// - Parameter repeated: 0...1, the fraction of picks that repeat.
  package init(experts: Int, kept: Int, repeated: Double, seed: UInt64) {
    self.experts = experts
    self.kept = min(kept, experts)
    threshold = UInt64(max(0, min(1, repeated)) * 4_294_967_296)
    random = RandomBits(state: seed)
  }

  /// Picks distinct experts for a layer of the next token.
  package mutating func next(layer: Int) -> [Int] {
    var before = last[layer] ?? []
    var picks: [Int] = []
    while picks.count < kept {
      let repeats = !before.isEmpty && random.next() >> 32 < threshold
      let pick =
        repeats
        ? before.remove(at: Int(random.next() % UInt64(before.count)))
        : Int(random.next() % UInt64(experts))
      if !picks.contains(pick) { picks.append(pick) }
    }
    last[layer] = picks
    return picks
  }
}

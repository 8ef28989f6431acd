/// Which expert is in which slot, and which slot to take next. This type knows neither bytes nor files, so
/// that a recorded trace can be replayed through it.
///
/// An expert is known by its id, layer * experts + number.
package struct SlotTable {
  package let layers: Int
  package let experts: Int
  package let policy: ReplacementPolicy

  private var slotOfExpert: [Int32]
  private var expertInSlot: [Int32]
  /// When an expert was last used, in layers begun; 0: never.
  private var lastUse: [Int]
  /// The token that last used an expert.
  private var lastToken: [Int]
  /// Weighted uses of each expert. A new use adds `worth`: letting `worth` grow has the same effect as
  /// letting all earlier uses shrink.
  private var uses: [Double]
  private var worth = 1.0
  private var forecast: UseForecast
  /// Whether a token was ever written.
  private var hasWritten = false
  private var clock = 0
  private var token = 0
  private var layer = 0

  package init(layers: Int, experts: Int, slots: Int, policy: ReplacementPolicy) {
    self.layers = layers
    self.experts = experts
    self.policy = policy
    let all = layers * experts
    slotOfExpert = .init(repeating: -1, count: all)
    expertInSlot = .init(repeating: -1, count: slots)
    lastUse = .init(repeating: 0, count: all)
    lastToken = .init(repeating: 0, count: all)
    uses = .init(repeating: 0, count: all)
    forecast = UseForecast(layers: layers, experts: experts)
  }

  package var slots: Int { expertInSlot.count }

  package func id(layer: Int, expert: Int) -> Int { layer * experts + expert }

  package func slot(of id: Int) -> Int? { slotOfExpert[id] < 0 ? nil : Int(slotOfExpert[id]) }

  package func expert(in slot: Int) -> Int? { expertInSlot[slot] < 0 ? nil : Int(expertInSlot[slot]) }

  /// Counts that a layer uses experts.
  ///
  /// - Parameters:
  ///   - experts: with the rows that picked each.
  ///   - rows: rows of the layer.
  package mutating func use(layer: Int, _ experts: some Sequence<(expert: Int, rows: Int)>, rows: Int) {
    clock += 1
    if layer <= self.layer {
      token += 1
      worth /= policy.decay
      if worth > 1e200 {
        for i in uses.indices { uses[i] /= worth }
        worth = 1
      }
    }
    self.layer = layer
    // Earlier answers say more about the next one than a prompt does, because a picture's rows in a prompt
    // want other experts. So a prompt counts as one token. Before anything is written, the prompt is all that
    // is known, and it counts as up to 32 tokens.
    let tokens = rows == 1 || hasWritten ? 1 : min(rows, 32)
    if rows == 1 { hasWritten = true }
    if policy == .likely {
      forecast.observe(layer: id(layer: layer, expert: 0), Array(experts), rows: rows, worth: tokens)
    }
    let share = worth * Double(tokens) / Double(max(1, rows))
    for (expert, count) in experts {
      let id = id(layer: layer, expert: expert)
      lastUse[id] = clock
      lastToken[id] = token
      uses[id] += share * Double(count)
    }
  }

  /// The slot to take for another expert.
  ///
  /// - Parameter allowed: whether a slot, with the expert in it, may be taken.
  package func victim(where allowed: (_ slot: Int, _ expert: Int) -> Bool) -> Int? {
    var best: (slot: Int, first: Double, second: Int)?
    for slot in expertInSlot.indices {
      let id = Int(expertInSlot[slot])
      guard id >= 0, allowed(slot, id) else { continue }
      let (first, second) = urgencyToGo(id)
      if let best, (first, second) <= (best.first, best.second) { continue }
      best = (slot, first, second)
    }
    return best?.slot
  }

  /// The slot of the expert that will be wanted last.
  ///
  /// - Parameter nextUse: when an expert is wanted next.
  package func victim(farthest nextUse: (_ expert: Int) -> Int, where allowed: (_ expert: Int) -> Bool)
    -> Int?
  {
    var best: (slot: Int, next: Int)?
    for slot in expertInSlot.indices {
      let id = Int(expertInSlot[slot])
      guard id >= 0, allowed(id) else { continue }
      let next = nextUse(id)
      if best.map({ next > $0.next }) ?? true { best = (slot, next) }
    }
    return best?.slot
  }

  /// The expert with the largest value is evicted first.
  private func urgencyToGo(_ id: Int) -> (Double, Int) {
    switch policy {
    case .lru: (0, -lastUse[id])
    case .lfu, .aged: (-uses[id], -lastUse[id])
    case .likely:
      // Tokens until the next use: first those that will not want it, then the part of a token until its
      // layer comes.
      (1 / forecast.chance[id] + Double(distance(id)) / Double(layers), -lastUse[id])
    case .stale: (lastToken[id] + 1 < token ? 1 : 0, distance(id) << 32 - lastUse[id])
    }
  }

  /// Layers until an expert's layer comes.
  private func distance(_ id: Int) -> Int { (id / experts - layer - 1 + 2 * layers) % layers }

  /// Puts an expert into a slot, in place of the expert that was there.
  package mutating func put(_ id: Int, in slot: Int) {
    clear(slot)
    slotOfExpert[id] = Int32(slot)
    expertInSlot[slot] = Int32(id)
  }

  package mutating func clear(_ slot: Int) {
    if expertInSlot[slot] >= 0 { slotOfExpert[Int(expertInSlot[slot])] = -1 }
    expertInSlot[slot] = -1
  }
}

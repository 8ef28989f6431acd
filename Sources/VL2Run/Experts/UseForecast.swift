/// How likely the next token wants an expert, learned from what was wanted so far.
///
/// Experts are alike if their last use lies as far back and if they were used as often lately. An expert is
/// taken to be as likely as experts like it turned out to be. If a model uses recent experts again, that
/// shows in the forecast; if it wants some experts more than others, that shows too. Nothing is assumed about
/// which of the two it does.
struct UseForecast {
  /// The weight of an earlier token's use after one more token, relative to a use now.
  private static let decay = 0.99
  /// The same for what was learned about experts that are alike: a thousand layer steps are remembered.
  private static let memory = 0.999
  /// While fewer experts like it were seen than this, an expert's own frequency counts for more than what they did.
  private static let doubt = 8.0
  /// The smallest chance: that of an expert that no token ever wanted.
  private static let least = 1e-4
  private static let ages = 8
  private static let frequencies = 12

  private let experts: Int
  /// The share of tokens that used an expert lately.
  private var frequency: [Double]
  /// Tokens since an expert was used; 0: the last token did.
  private var age: [Int]
  /// By age and frequency: how many experts were seen, and how many of them were used.
  private var seen = [Double](repeating: 0, count: ages * frequencies)
  private var used = [Double](repeating: 0, count: ages * frequencies)
  /// The chance that the next token uses an expert, more than 0.
  private(set) var chance: [Double]

  init(layers: Int, experts: Int) {
    self.experts = experts
    frequency = .init(repeating: 0, count: layers * experts)
    age = .init(repeating: 1 << 20, count: layers * experts)
    chance = .init(repeating: Self.least, count: layers * experts)
  }

  /// Learns from what a layer uses.
  ///
  /// - Parameters:
  ///   - first: the id of the layer's first expert.
  ///   - picks: experts with the rows that picked each.
  ///   - rows: rows of the layer; a single row shows what follows what, many rows show only what is wanted often.
  ///   - tokens: how many tokens the rows count as.
  mutating func observe(
    layer first: Int, _ picks: [(expert: Int, rows: Int)], rows: Int, worth tokens: Int
  ) {
    let perRow = Double(picks.reduce(0) { $0 + $1.rows }) / Double(max(1, rows))
    if rows == 1 { learn(layer: first, picks, perRow: perRow) }
    var kept = 1.0
    for _ in 0..<tokens { kept *= Self.decay }
    for id in first..<first + experts {
      frequency[id] *= kept
      age[id] += 1
    }
    for (expert, count) in picks {
      frequency[first + expert] += (1 - kept) * Double(count) / Double(max(1, rows))
      age[first + expert] = 0
    }
    for id in first..<first + experts {
      let kind = kind(id, perRow: perRow)
      let likely = (used[kind] + Self.doubt * frequency[id]) / (seen[kind] + Self.doubt)
      chance[id] = max(Self.least, likely)
    }
  }

  private mutating func learn(layer first: Int, _ picks: [(expert: Int, rows: Int)], perRow: Double) {
    for kind in seen.indices {
      seen[kind] *= Self.memory
      used[kind] *= Self.memory
    }
    for id in first..<first + experts { seen[kind(id, perRow: perRow)] += 1 }
    for (expert, _) in picks { used[kind(first + expert, perRow: perRow)] += 1 }
  }

  /// The kind of an expert; experts of one kind are alike. Ages are grouped as 0, 1, 2-3, 4-7 and so on, and
  /// frequencies in steps of about a square root of two around the frequency that random routing would give.
  private func kind(_ id: Int, perRow: Double) -> Int {
    let bits = Int.bitWidth - age[id].leadingZeroBitCount
    let age = min(bits, Self.ages - 1)
    let relative = max(frequency[id] * Double(experts) / max(1, perRow), 0x1p-10)
    let step = 2 * Int(relative.exponent) + (relative.significand < 1.5 ? 0 : 1) + 8
    return age * Self.frequencies + max(0, min(step, Self.frequencies - 1))
  }
}

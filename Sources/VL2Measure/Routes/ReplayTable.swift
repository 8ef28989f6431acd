import VL2Run

/// How often experts would have been in memory, for a recorded trace under every policy and several budgets.
package struct ReplayTable: Sendable, Encodable {
  package struct Row: Sendable, Encodable {
    /// "best" knows the future.
    package var policy: String
    package var slots: Int
    package var hitRate: Double
    /// Bytes that are read for a token because experts were missed.
    package var missedBytesPerToken: Double
    /// The fraction of the misses that the layer before had guessed.
    package var guessedShare: Double

    enum CodingKeys: String, CodingKey {
      case policy, slots
      case hitRate = "hit_rate"
      case missedBytesPerToken = "missed_bytes_per_token"
      case guessedShare = "guessed_share"
    }
  }

  /// Tokens written in the trace.
  package private(set) var tokens = 0
  package private(set) var rows: [Row] = []

  /// - Parameters:
  ///   - path: a file of recorded routes.
  ///   - slots: numbers of slots; nil for fractions of the number of all experts.
  ///   - repeated: if given, replaces the trace's routes by made-up ones for as many tokens. This fraction of
  ///     their picks repeats from the token before.
  /// - Throws: `FileError` for a file that is missing or not such a trace.
  package init(path: String, slots: [Int]? = nil, repeated: Double? = nil) throws {
    var trace = try RouteTrace(contentsOf: path)
    let routed = Set(trace.steps.map(\.layer)).count
    if let repeated {
      let tokens = trace.passes.count { trace.steps[$0.lowerBound].rows <= PrefetchMode.guessedRows }
      trace = .synthetic(like: trace, tokens: max(1, tokens), repeated: repeated, seed: 1)
    }
    let all = routed * trace.experts
    for slots in slots ?? [0.1, 0.25, 0.5, 0.75, 0.9].map({ max(1, Int($0 * Double(all))) }) {
      for policy in ReplacementPolicy.allCases.map(Optional.some) + [nil] {
        let replay = RouteReplay(trace, slots: max(1, slots), policy: policy)
        tokens = replay.tokens
        rows.append(
          Row(
            policy: policy?.rawValue ?? "best", slots: slots, hitRate: replay.hitRate,
            missedBytesPerToken: Double(replay.misses * trace.expertBytes) / Double(max(1, replay.tokens)),
            guessedShare: Double(replay.guessedMisses) / Double(max(1, replay.misses))))
      }
    }
  }
}

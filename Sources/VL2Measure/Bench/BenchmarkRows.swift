import VL2Base

extension Benchmark {
  /// The table's header: what was measured, what the machine allows, and the share of it.
  package static let header = ["measured", "", "limit", "share"]

  /// A row for each figure, without those of the machine's limits.
  package var rows: [[String]] {
    let perSecond = "tokens/s"
    let limit = "\(Self.number(writeLimit)) \(perSecond)"
    let promptLimit = Double(promptTokens) / promptLimitSeconds
    return [
      ["opening", "\(Self.number(openSeconds)) s", "", ""],
      ["first token, photo of 1200 x 800", "\(Self.number(firstTokenSeconds)) s", "", ""],
      [
        "one tile", "\(Self.number(tileSeconds)) s", "\(Self.number(tileLimitSeconds)) s",
        Self.percent(tileLimitSeconds / tileSeconds),
      ],
      [
        "five tiles, each", "\(Self.number(tileSecondsOfFive)) s", "\(Self.number(tileLimitSeconds)) s",
        Self.percent(tileLimitSeconds / tileSecondsOfFive),
      ],
      [
        "prompt of \(promptTokens) tokens", "\(Self.number(promptTokensPerSecond)) \(perSecond)",
        "\(Self.number(promptLimit)) \(perSecond)", Self.percent(promptTokensPerSecond / promptLimit),
      ],
      [
        "writing \(writtenTokens) tokens at context 0",
        "\(Self.number(writeTokensPerSecond)) \(perSecond)", limit, Self.percent(bandwidthShare),
      ],
      [
        "writing \(writtenTokens) tokens at context \(context)",
        "\(Self.number(writeTokensPerSecondFar)) \(perSecond)", limit,
        Self.percent(writeTokensPerSecondFar / writeLimit),
      ],
      ["anonymous memory, peak", "\(ByteSize(bytes: peakAnonymousBytes))", "", ""],
      ["reading mapped weights", "\(Self.number(readBytesPerSecond / 1e9)) GB/s", "", ""],
      ["int8 multiply-adds, twice", "\(Self.number(int8OperationsPerSecond / 1e9)) GOP/s", "", ""],
      ["float multiply-adds, twice", "\(Self.number(floatOperationsPerSecond / 1e9)) GFLOP/s", "", ""],
      ["weights that a token reads", "\(Self.number(Double(weightBytesPerToken) / 1e6)) MB", "", ""],
    ]
  }

  /// Lines below the table.
  package var notes: [String] {
    var notes = ["Weights are read fastest \(readWay)."]
    if let cacheBytes {
      let share = min(1, Double(cacheBytes) / Double(max(1, weightBytesPerToken)))
      notes.append(
        "The last-level cache of these processors, \(ByteSize(bytes: cacheBytes)), can hold "
          + "\(Self.percent(share)) of what a token reads.")
    }
    if context < 3500 {
      notes.append("The model's context ends before 3,500 + \(writtenTokens) positions.")
    }
    return notes
  }

  /// How it was measured.
  package var manner: String {
    "\(threads) \(threads == 1 ? "thread" : "threads"), \(isa), "
      + "\(runs == 1 ? "one run" : "medians of \(runs) runs")"
  }

  private static func number(_ value: Double) -> String { NumberText.rounded(value) }

  private static func percent(_ share: Double) -> String { "\(number(100 * share)) %" }
}

import VL2Base
import VL2Console
import VL2Measure

/// What `vl2 bench --memory` prints.
struct SweepReport: Encodable {
  private let sweep: MemorySweep

  init(_ sweep: MemorySweep) { self.sweep = sweep }

  enum CodingKeys: CodingKey { case threads, tokens, readBytesPerSecond, budgets }

  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(sweep.threads, forKey: .threads)
    try object.encode(sweep.tokens, forKey: .tokens)
    try object.encode(sweep.readBytesPerSecond, forKey: .readBytesPerSecond)
    try object.encode(sweep.rows, forKey: .budgets)
  }

  /// Two lines for each budget: with the model's own routing, and with picks that repeat. "Of both" is the
  /// speed as a fraction of what reading the missed bytes, or computing without waiting, would allow by
  /// itself.
  var table: String {
    func number(_ value: Double, _ digits: Int = 1) -> String { NumberText.fixed(value, digits) }
    var table = TextTable(
      [
        "memory", "slots", "prompt", "routing", "tokens/s", "hits", "missed/token", "disk allows", "of both",
        "waited",
      ], alignment: "lrrlrrrrrr")
    for row in sweep.rows {
      for (name, writing) in [("the model", row.routed), ("45 % same", row.repeating)] {
        var cells = [
          row.budgetBytes.map { ByteSize(bytes: $0).argument } ?? "mapped", row.slots.map(String.init) ?? "",
          number(row.promptSeconds, 2) + " s", name, number(writing.tokensPerSecond),
        ]
        if let hits = writing.hitRate, let missed = writing.missedBytesPerToken,
          let share = writing.allowedShare, let waited = writing.secondsWaited
        {
          cells += [
            NumberText.percent(hits), number(missed / 1e6) + " MB",
            writing.diskTokensPerSecond.map { number($0) } ?? "", NumberText.percent(share),
            number(waited, 2) + " s",
          ]
        }
        table.append(cells)
      }
    }
    return "\(sweep.threads) threads, \(sweep.tokens) tokens written, reads of "
      + "\(number(sweep.readBytesPerSecond / 1e6, 0)) MB/s past the page cache\n\n" + table.text
  }
}

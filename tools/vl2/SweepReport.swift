import Foundation
import VL2Measure

/// What `vl2 bench --memory` prints.
struct SweepReport: Encodable {
  private let sweep: MemorySweep

  init(_ sweep: MemorySweep) { self.sweep = sweep }

  enum CodingKeys: String, CodingKey {
    case threads, tokens, budgets
    case readBytesPerSecond = "read_bytes_per_second"
  }

  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(sweep.threads, forKey: .threads)
    try object.encode(sweep.tokens, forKey: .tokens)
    try object.encode(sweep.readBytesPerSecond, forKey: .readBytesPerSecond)
    try object.encode(sweep.rows, forKey: .budgets)
  }

  /// Two lines for each budget: as the model routes, and with picks that repeat. "Of both" is the share of what reading
  /// the missed bytes, or computing without waiting, would allow by itself.
  var table: String {
    var text = String(
      format: "%d threads, %d tokens written, reads of %.0f MB/s past the page cache\n\n", sweep.threads,
      sweep.tokens, sweep.readBytesPerSecond / 1e6)
    text +=
      "memory   slots  prompt    routing     tokens/s  hits      missed/token  disk allows  of both  waited\n"
    for row in sweep.rows {
      let memory = row.budgetBytes.map { "\($0 >> 20)M" } ?? "mapped"
      for (name, writing) in [("the model", row.routed), ("45 % same", row.repeating)] {
        text += pad(memory, 7) + pad(row.slots.map { "  \(String(format: "%5d", $0))" } ?? "", 9)
        text += String(format: "%6.2f s  ", row.promptSeconds) + pad(name, 10)
        text += String(format: "%10.1f", writing.tokensPerSecond)
        if let hits = writing.hitRate, let missed = writing.missedBytesPerToken,
          let share = writing.allowedShare, let waited = writing.secondsWaited
        {
          text += String(
            format: "  %5.1f %%  %9.1f MB  %@  %5.1f %%  %6.2f s", 100 * hits, missed / 1e6,
            writing.diskTokensPerSecond.map { String(format: "%11.1f", $0) } ?? pad("", 11), 100 * share,
            waited)
        }
        text += "\n"
      }
    }
    return text
  }

  private func pad(_ text: String, _ width: Int) -> String {
    text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
  }
}

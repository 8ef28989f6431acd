import VL2Base
import VL2Console
import VL2Measure

/// What `vl2 bench --reuse` prints.
struct ReuseReport: Encodable {
  private struct Side: Encodable {
    var tiles: Int
    var encodingSeconds, firstTokenSeconds: Double

    init(_ side: ReuseTimes.Side) {
      tiles = side.tiles
      encodingSeconds = side.encodingSeconds
      firstTokenSeconds = side.firstTokenSeconds
    }
  }

  private var columns, rows, promptTokens, runs: Int
  private var off, exact: Side

  init(_ times: ReuseTimes, runs: Int) {
    (columns, rows, promptTokens) = (times.columns, times.rows, times.promptTokens)
    self.runs = runs
    (off, exact) = (Side(times.off), Side(times.exact))
  }

  var table: String {
    func number(_ value: Double) -> String { NumberText.rounded(value) }
    var table = TextTable(["one tile has changed", "off", "exact", ""], alignment: "lrrr")
    table.append(["tiles encoded", "\(off.tiles)", "\(exact.tiles)", ""])
    func row(_ name: String, _ off: Double, _ exact: Double) -> [String] {
      [name, "\(number(off)) s", "\(number(exact)) s", "\(number(off / exact)) x"]
    }
    table.append(row("encoding", off.encodingSeconds, exact.encodingSeconds))
    table.append(row("first token", off.firstTokenSeconds, exact.firstTokenSeconds))
    return
      "\(columns) x \(rows) tiles and the whole view, \(promptTokens) tokens, "
      + "\(runs == 1 ? "one run" : "medians of \(runs) runs")\n\n" + table.text
  }
}

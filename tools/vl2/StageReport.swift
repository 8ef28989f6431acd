import VL2Base
import VL2Console
import VL2Measure

/// What `vl2 bench --stages` prints.
struct StageReport {
  private let times: StageTimes

  init(_ times: StageTimes) { self.times = times }

  /// A table for writing, one for a prompt, one for a tile.
  var table: String {
    func number(_ value: Double, _ digits: Int = 1) -> String { NumberText.fixed(value, digits) }
    var text =
      "reading mapped weights \(number(times.readBytesPerSecond / 1e9)) GB/s, "
      + "int8 at most \(number(times.int8OperationsPerSecond / 1e9, 0)) GOP/s\n"
    for part in times.parts {
      let count = Double(part.count)
      let microseconds = part.seconds / count * 1e6
      var table = TextTable(
        ["stage", "us", "share", "jobs", "waiting us", "MB", "GB/s", "GOP/s"], alignment: "lrrrrrrr")
      for (stage, sum) in part.stages {
        let took = sum.seconds / count * 1e6
        var row = [
          stage.title, number(took), NumberText.percent(took / microseconds),
          number(Double(sum.jobs) / count),
          number(sum.secondsWaited / count * 1e6),
        ]
        if sum.bytes > 0 {
          row.append(number(Double(sum.bytes) / count / 1e6))
          row.append(number(Double(sum.bytes) / sum.seconds / 1e9))
          row.append(number(2 * sum.products / sum.seconds / 1e9, 0))
        }
        table.append(row)
      }
      text += "\n\(part.name): \(number(microseconds, 0)) us\n" + table.text
    }
    return text
  }
}

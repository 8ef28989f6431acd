import Foundation
import VL2Measure

/// What `vl2 bench --stages` prints.
struct StageReport {
  private let times: StageTimes

  init(_ times: StageTimes) { self.times = times }

  /// A table for writing, one for a prompt, one for a tile.
  var table: String {
    var text = String(
      format: "reading mapped weights %.1f GB/s, int8 at most %.0f GOP/s\n", times.readBytesPerSecond / 1e9,
      times.int8OperationsPerSecond / 1e9)
    for part in times.parts {
      let count = Double(part.count)
      let microseconds = part.seconds / count * 1e6
      text += String(format: "\n%@: %.0f us\n", part.name, microseconds)
      text += "stage                          us   share    jobs  waiting us      MB    GB/s   GOP/s\n"
      for (stage, sum) in part.stages {
        let took = sum.seconds / count * 1e6
        text += stage.title.padding(toLength: 24, withPad: " ", startingAt: 0)
        text += String(
          format: "%9.1f %6.1f %% %7.1f %11.1f", took, 100 * took / microseconds, Double(sum.jobs) / count,
          sum.secondsWaited / count * 1e6)
        if sum.bytes > 0 {
          text += String(
            format: "%8.1f%8.1f%8.0f", Double(sum.bytes) / count / 1e6, Double(sum.bytes) / sum.seconds / 1e9,
            2 * sum.products / sum.seconds / 1e9)
        }
        text += "\n"
      }
    }
    return text
  }
}

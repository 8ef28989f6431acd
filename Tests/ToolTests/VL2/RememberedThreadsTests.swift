import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Run

/// How many threads write best is found out in one process and known in the next one.
@Suite struct RememberedThreadsTests {
  @Test func remembered() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    let picture = Fixtures.path("golden/images/wide.jpg")
    try withTemporaryFolder { cache in
      let file = cache + "/vl2/speeds.json"
      func answer(_ more: [String] = []) throws -> String? {
        let run = try Tool("vl2").run(
          ["ask", "--json", "--model", model, "--max-tokens", "40"] + more + [picture, "Count to ten."],
          environment: ["XDG_CACHE_HOME": cache])
        #expect(run.status == 0, "\(run.errors)")
        return try jsonObject(run.output)["answer"] as? String
      }
      func known() throws -> [String: SpeedEstimate] {
        try JSONDecoder().decode([String: SpeedEstimate].self, from: Data(try bytes(of: file)))
      }
      let all = Processors.system.answering
      let first = try answer()
      let (key, speed) = try #require(try known().first)
      // One thread leaves nothing to find out.
      #expect(
        all == 1 ? speed.writingThreads == nil : [1, 2, all].contains(speed.writingThreads), "\(speed)")

      // What cannot be is not followed, and found out anew.
      for number in [0, -1, 1_000_000] {
        var wrong = speed
        wrong.writingThreads = number
        try write(JSONEncoder().encode([key: wrong]), to: file)
        #expect(try answer() == first)
        let now = try known()[key]?.writingThreads
        #expect(all == 1 || [1, 2, all].contains(now), "\(String(describing: now))")
      }
      // Whoever asks for a number of threads gets it, whatever is remembered, and the same answer.
      #expect(try answer(["--threads", "1"]) == first && answer(["--threads", "\(2 * all)"]) == first)
    }
  }
}

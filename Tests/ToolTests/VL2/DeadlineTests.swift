import Foundation
import TestModels
import TestSupport
import Testing
import VL2Run

/// `vl2 ask` by a deadline.
@Suite struct DeadlineTests {
  /// A deadline picks the tiles from what is remembered, and says so.
  @Test func deadline() throws {
    let vl2 = Tool("vl2")
    try withTemporaryFolder { cache in
      let picture = Fixtures.path("golden/images/wide.jpg")
      func ask(_ words: [String]) throws -> ToolRun {
        try vl2.run(
          ["ask", "--model", try PackedModels.path("nano-mha", .q4), "--max-tokens", "2", "--json"] + words
            + [picture, "What is it?"], environment: ["XDG_CACHE_HOME": cache])
      }
      func tiles(_ run: ToolRun) throws -> Int {
        try #require(try jsonObject(run.output)["tiles"] as? Int, "\(run.errors)")
      }
      let all = try tiles(try ask([]))
      #expect(all > 3)
      #expect(try tiles(try ask(["--max-tiles", "3"])) <= 3)
      // A machine that takes 10 s a tile.
      let file = cache + "/vl2/speeds.json"
      let known = try JSONDecoder().decode(
        [String: SpeedEstimate].self, from: Data(bytes(of: file)))
      #expect(known.count == 1)
      func remember(_ tileSeconds: Double) throws {
        let slow = known.mapValues { _ in
          SpeedEstimate(tileSeconds: tileSeconds, promptTokensPerSecond: 1e6)
        }
        try write(JSONEncoder().encode(slow), to: file)
      }
      try remember(10)
      let some = try ask(["--deadline", "31"])
      #expect(try tiles(some) <= 3 && some.errors.contains("s until the answer begins"), "\(some.errors)")
      try remember(10)
      let fewest = try ask(["--deadline", "5"])
      #expect(try tiles(fewest) == 1 && fewest.errors.contains("later than asked for"), "\(fewest.errors)")
      try remember(0.001)
      #expect(try tiles(try ask(["--deadline", "60"])) == all)
      // Nonsense in the file is as good as no file: the machine is measured.
      try write("[".utf8, to: file)
      #expect(try tiles(try ask(["--deadline", "600"])) == all)
      #expect(try ask(["--max-tiles", "3", "--deadline", "1"]).status == 64)
      #expect(try ask(["--max-tiles", "0"]).status == 64)
    }
  }
}

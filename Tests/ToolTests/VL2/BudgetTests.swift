import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Run

/// `vl2 ask` with less memory than everything takes.
@Suite struct BudgetTests {
  private let vl2 = Tool("vl2")

  @Test func budgetOnTheCommandLine() throws {
    try withTemporaryFolder { try budgetOnTheCommandLine(cache: $0) }
  }

  private func budgetOnTheCommandLine(cache: String) throws {
    let model = try PackedModels.path("nano-mha", .q4)
    func ask(_ memory: String) throws -> ToolRun {
      try vl2.run(
        [
          "ask", "--model", model, "--memory", memory, "--max-tokens", "8", "--json",
          Fixtures.path("golden/images/wide.jpg"), "What is it?",
        ], environment: ["XDG_CACHE_HOME": cache])
    }
    let small = try ask("1M")
    #expect(small.status == 69 && small.output.isEmpty, "\(small.errors)")
    #expect(small.errors.split(separator: "\n").count == 1)
    // The refusal names a budget that works.
    let words = small.errors.split(whereSeparator: { $0 == " " || $0 == "\n" })
    let smallest = String(try #require(words.last))
    #expect(MemoryChoice(smallest) != nil, "\(small.errors)")
    let named = try #require(ByteSize(smallest)).bytes
    let plain = try ask("auto")
    #expect(plain.status == 0, "\(plain.errors)")
    let weights = try jsonObject(plain.output)["weights"] as? [String: Any]
    #expect(weights?["budget_bytes"] == nil && (weights?["experts_touched"] as? Int ?? 0) > 0)

    // A photo needs a little more than the smallest, and one process a little more than another; a refusal says how
    // much.
    var run = try ask(smallest)
    if run.status != 0 {
      #expect(run.status == 69, "\(run.errors)")
      let sizes = run.errors.split(whereSeparator: { " ,:\n".contains($0) }).compactMap {
        ByteSize(String($0))?.bytes
      }
      let needed = try #require(sizes.max())
      #expect(needed > named, "\(run.errors)")
      run = try ask("\(needed >> 20 + 1)M")
    }
    #expect(run.status == 0, "\(run.errors)")
    #expect(try jsonObject(run.output)["answer"] as? String == jsonObject(plain.output)["answer"] as? String)

    // What is remembered of speeds is another thing with less memory.
    let speeds = Data(try bytes(of: cache + "/vl2/speeds.json"))
    let known = try JSONDecoder().decode([String: SpeedEstimate].self, from: speeds)
    #expect(known.count == 2 && known.keys.filter { $0.contains(" memory ") }.count == 1, "\(known.keys)")

    let wrong = try ask("1T")
    #expect(wrong.status == 64 && wrong.errors.contains("'1T' is invalid for '--memory <size>'"))
  }
}

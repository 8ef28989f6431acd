import Foundation
import TestSupport
import Testing

/// `ulimit -v`: the line names the limit, and how to lift it.
@Suite(.enabled(if: !Tool.isEmulated, "an emulator's own addresses count")) struct AddressLimitTests {
  private func ask(_ model: String, kilobytes: Int) throws -> ToolRun {
    try Tool("vl2").run(
      ["ask", "--model", model, "Which?"], script: "ulimit -v \(kilobytes); exec \"$@\"")
  }

  @Test func aModelThatIsLargerThanTheLimit() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/m.vl2q"
      try write([], to: model)
      try #require(truncate(model, 4 << 30) == 0)
      let run = try ask(model, kilobytes: 1_000_000)
      #expect(run.status == 69)
      #expect(
        run.errors
          == "vl2: \(model): cannot be read: cannot allocate memory: this process may use 976M of addresses "
          + "(ulimit -v); lift that limit ('ulimit -v unlimited'): a model's file counts in it as a whole, used or "
          + "not\n", "\(run.errors)")
    }
  }

  @Test func noRoomForThreads() throws {
    let run = try ask("none.vl2q", kilobytes: 80_000)
    #expect(run.status == 69 && run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    #expect(run.errors.contains("(ulimit -v); lift that limit ('ulimit -v unlimited')"), "\(run.errors)")
  }
}

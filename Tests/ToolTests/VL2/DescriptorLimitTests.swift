import Foundation
import TestModels
import TestSupport
import Testing

/// `ulimit -n`: the line names the limit, and how to lift it.
@Suite(.enabled(if: !Tool.isEmulated, "an emulator opens files of its own")) struct DescriptorLimitTests {
  private func run(_ words: [String], limit: Int) throws -> ToolRun {
    try Tool("vl2").run(words, script: "ulimit -n \(limit); exec \"$@\"")
  }

  @Test func tooFew() throws {
    let model = try PackedModels.path("nano-mha", .q4)
    expectFailure(
      try run(["serve", "--model", model, "--demo", "--port", "0"], limit: 30), status: 69,
      naming: "this program may have 30 files and connections open, which is too few; allow more open files "
        + "(a shell: ulimit -n; systemd: LimitNOFILE=)")
    let asked = try run(["ask", "--model", model, "Which?"], limit: 5)
    #expect(asked.status == 74)
    #expect(
      asked.errors.contains("too many open files; allow more open files (a shell: ulimit -n"),
      "\(asked.errors)")
  }

  /// A server with room for some connections serves those, and says how many.
  @Test func fewConnections() throws {
    let run = try run(
      ["serve", "--model", "/nowhere.vl2q", "--port", "0"], limit: 60)
    #expect(
      run.errors.contains("connections at a time, not 64: this program may have 60 files open;"),
      "\(run.errors)")
    #expect(run.status == 66)
  }
}

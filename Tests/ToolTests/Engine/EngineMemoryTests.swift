import TestModels
import TestSupport
import Testing

/// In processes of their own, since the memory of a whole process is measured.
@Suite struct EngineMemoryTests {
  private struct Line {
    /// Bytes of the process alone, bytes that are kept, questions that were cancelled, and what tells answers apart.
    var anonymous, kept, cancelled: Int
    var digest: Substring
  }

  /// What an emulator takes for itself: translated code, above all.
  private let emulator = Tool.isEmulated ? 64 << 20 : 0

  private func soak(_ words: [String]) throws -> [Line] {
    let run = try Tool("EngineSoak").run([try PackedModels.path("nano-mha", .q4)] + words)
    #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
    let lines = try run.output.split(separator: "\n").map { line in
      let words = line.split(separator: " ")
      try #require(words.count == 4, "\(line)")
      return Line(
        anonymous: try #require(Int(words[0])), kept: try #require(Int(words[1])),
        cancelled: try #require(Int(words[2])), digest: words[3])
    }
    try #require(lines.count == 2, "\(run.output)")
    return lines
  }

  /// After a thousand questions, half of them cancelled, there is no more memory in use than after a hundred.
  @Test func memoryStays() throws {
    let lines = try soak(["1000"])
    #expect(lines[1].anonymous - lines[0].anonymous <= (2 << 20) + emulator, "\(lines)")
    #expect(lines.allSatisfy { (1...4 << 20).contains($0.kept) }, "\(lines)")
    // Some are done before they are cancelled.
    #expect(lines[1].cancelled > 250, "\(lines)")
  }

  /// Under the smallest budget every question still finds room, since what is kept gives way, and is answered the same.
  @Test func keepingGivesWay() throws {
    let tight = try Tool("vl2").run([
      "ask", "--model", try PackedModels.path("nano-mha", .q4), "--threads", "2", "--memory", "1M", "Well?",
    ])
    let smallest = try #require(tight.errors.firstMatch(of: /--memory (\d+)M/).flatMap { Int($0.1) })
    // A picture and a question take a little more than the smallest question.
    let budget = (smallest + 3) << 20
    let (mapped, limited) = (try soak(["120"]), try soak(["120", "\(budget)"]))
    #expect(limited.map(\.digest) == mapped.map(\.digest), "\(limited), \(mapped)")
    #expect(limited[1].anonymous <= budget + emulator, "\(limited)")
    // One process inside an emulator takes more than another, so that a budget may leave room there.
    if !Tool.isEmulated { #expect(limited[1].kept < mapped[1].kept, "\(limited), \(mapped)") }
  }
}

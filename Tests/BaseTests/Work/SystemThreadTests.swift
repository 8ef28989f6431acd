import Synchronization
import TestSupport
import Testing
import VL2Base

@Suite struct SystemThreadTests {
  /// More address space than any system gives: a thread with such a stack is refused.
  private static let impossible = 1 << 50

  @Test func runs() throws {
    let sum = Monitor(0)
    for number in 1...10 {
      try SystemThread.start("vl2-a-long-name-of-a-thread") { sum.change { $0 += number } }
    }
    #expect(sum.wait { $0 == 55 ? $0 : nil } == 55)
  }

  @Test func refusalIsAnError() throws {
    let hasRun = Mutex(false)
    let error = thrown {
      try SystemThread.start("vl2-refused", stackBytes: Self.impossible) { hasRun.withLock { $0 = true } }
    }
    let refusal = try #require(error as? ThreadError)
    #expect(refusal.kind == .unavailable)
    #expect(refusal.description.contains("TasksMax"))
    #expect(!hasRun.withLock { $0 })
  }

  /// It returns when the threads that it started have ended.
  @Test func room() throws {
    for _ in 0..<20 { try SystemThread.checkRoom(for: 24) }
    #expect(thrown { try SystemThread.checkRoom(for: 3, stackBytes: Self.impossible) } is ThreadError)
  }
}

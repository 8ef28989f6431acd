import Testing
import VL2Base

@Suite struct SerialThreadTests {
  /// Work is done in the order in which it came, also what is left when nobody holds the thread any more.
  @Test func order() throws {
    let done = Monitor<[Int]>([])
    var thread: SerialThread? = try SerialThread("test")
    let isBegun = Monitor(false)
    thread?.add { isBegun.wait { $0 ? () : nil } }
    for number in 0..<1000 { thread?.add { done.change { $0.append(number) } } }
    #expect(done.withLock { $0.isEmpty })
    thread = nil
    isBegun.change { $0 = true }
    #expect(done.wait { $0.count == 1000 ? $0 : nil } == Array(0..<1000))
  }

  /// Waiting ends soon after what is waited for.
  @Test func waiting() async throws {
    let asked = Monitor(0)
    try await SystemThread.wait(every: 0.01) {
      asked.change {
        $0 += 1
        return $0 == 5
      }
    }
    #expect(asked.withLock { $0 } == 5)
  }
}

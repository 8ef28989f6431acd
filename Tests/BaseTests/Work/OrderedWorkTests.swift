import Foundation
import Synchronization
import TestSupport
import Testing
import VL2Base

@Suite struct OrderedWorkTests {
  private struct Stop: Error, Equatable {
    var at: Int
  }

  @Test(arguments: [1, 2, 7, 100])
  func resultsComeInOrder(threads: Int) throws {
    var seen: [Int] = []
    let work = OrderedWork(threads: threads, budget: 5)
    try work.run(costs: (0..<200).map { $0 % 9 }) { index in
      var random = UInt64(index)
      for _ in 0..<(index * 7919 % 5000) { random = random &* 6_364_136_223_846_793_005 &+ 1 }
      return (index, random)
    } finish: { index, result in
      #expect(result.0 == index)
      seen.append(index)
    }
    #expect(seen == Array(0..<200))
    try work.run(costs: []) {
      $0
    } finish: { _, _ in
      Issue.record("there is no work")
    }
  }

  /// Nothing is begun that does not fit beside what has not been handed on.
  @Test func budgetHolds() throws {
    let live = Mutex((now: 0, most: 0))
    let costs = (0..<100).map { 1 + $0 * 13 % 6 }
    try OrderedWork(threads: 4, budget: 8).run(costs: costs) { index in
      live.withLock {
        $0.now += costs[index]
        $0.most = max($0.most, $0.now)
      }
      return index
    } finish: { index, _ in
      live.withLock { $0.now -= costs[index] }
    }
    #expect(live.withLock { $0.most } <= 8)
    // A piece that is larger than the budget is done alone.
    var done = 0
    try OrderedWork(threads: 4, budget: 1).run(costs: [5, 5, 5]) {
      $0
    } finish: { _, _ in
      done += 1
    }
    #expect(done == 3)
  }

  @Test(arguments: [1, 4])
  func earliestFailureCounts(threads: Int) {
    for _ in 0..<20 {
      var handedOn: [Int] = []
      let error = thrown {
        try OrderedWork(threads: threads, budget: 100).run(costs: [Int](repeating: 1, count: 50)) { index in
          if index >= 10 { throw Stop(at: index) }
          return index
        } finish: { index, _ in
          handedOn.append(index)
        }
      }
      #expect(error as? Stop == Stop(at: 10))
      #expect(handedOn == Array(0..<handedOn.count))
      #expect(handedOn.count <= 10)
    }
  }

  /// What was begun before the piece that failed is not lost, however long it takes.
  @Test func workBeforeAFailureIsHandedOn() {
    let hasFailed = Mutex(false)
    var handedOn: [Int] = []
    let error = thrown {
      try OrderedWork(threads: 2, budget: 2).run(costs: [1, 1]) { index in
        if index == 1 {
          hasFailed.withLock { $0 = true }
          throw Stop(at: index)
        }
        while !hasFailed.withLock({ $0 }) { Thread.sleep(forTimeInterval: 0.001) }
        // Long enough for the failure to be noticed.
        Thread.sleep(forTimeInterval: 0.05)
        return index
      } finish: { index, _ in
        handedOn.append(index)
      }
    }
    #expect(error as? Stop == Stop(at: 1))
    #expect(handedOn == [0])
  }

  @Test(arguments: [1, 4])
  func failureToFinishEndsTheWork(threads: Int) {
    let made = Mutex(0)
    let error = thrown {
      try OrderedWork(threads: threads, budget: 3).run(costs: [Int](repeating: 1, count: 1000)) { index in
        made.withLock { $0 += 1 }
        return index
      } finish: { index, _ in
        if index == 2 { throw Stop(at: index) }
      }
    }
    #expect(error as? Stop == Stop(at: 2))
    #expect(made.withLock { $0 } <= 6)
  }
}

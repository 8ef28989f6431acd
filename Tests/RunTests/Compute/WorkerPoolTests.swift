import Foundation
import Synchronization
import Testing
import VL2Run

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 3, 8]) func everyItemOnce(threads: Int) {
    let pool = WorkerPool(threads: threads)
    defer { pool.stop() }
    for items in [0, 1, 2, 7, 1000] {
      let counts = (0..<max(1, items)).map { _ in Counter() }
      for _ in 0..<20 { pool.run(items) { item, _ in counts[item].add() } }
      #expect(counts.prefix(items).allSatisfy { $0.value == 20 })
    }
  }

  @Test(arguments: [1, 2, 3, 8]) func rangesCoverEverythingOnce(threads: Int) {
    let pool = WorkerPool(threads: threads)
    defer { pool.stop() }
    for units in [0, 1, 2, 7, 1000] {
      for smallest in [1, 3, 5000] {
        let counts = (0..<max(1, units)).map { _ in Counter() }
        let short = Counter()
        for _ in 0..<20 {
          pool.share(units, inRangesOf: smallest) { range, _ in
            // A thread's part may be shorter, but only where there are not enough units for all.
            if range.count < min(smallest, units) && range.upperBound != units && units >= 8 * smallest {
              short.add()
            }
            for unit in range { counts[unit].add() }
          }
        }
        #expect(counts.prefix(units).allSatisfy { $0.value == 20 })
        #expect(short.value == 0)
      }
    }
  }

  /// Threads that went to sleep between jobs are woken.
  @Test func jobsAfterAPause() {
    let pool = WorkerPool(threads: 3)
    defer { pool.stop() }
    let counter = Counter()
    for _ in 0..<20 {
      usleep(5000)
      pool.run(3) { _, _ in
        usleep(2000)
        counter.add()
      }
    }
    #expect(counter.value == 60)
  }

  @Test func workersAreDistinct() {
    let pool = WorkerPool(threads: 4)
    defer { pool.stop() }
    let busy = (0..<4).map { _ in Counter() }
    let clashes = Counter()
    pool.run(5000) { _, worker in
      if busy[worker].add() != 0 { clashes.add() }
      busy[worker].subtract()
    }
    #expect(clashes.value == 0)
  }

  @Test func poolsComeAndGo() {
    for _ in 0..<200 {
      let pool = WorkerPool(threads: 3)
      let counter = Counter()
      pool.run(10) { _, _ in counter.add() }
      #expect(counter.value == 10)
      pool.stop()
      pool.stop()
    }
  }

  /// The threads let go of a pool when its owner goes, and end.
  @Test func nobodyKeepsAPoolWhoseOwnerIsGone() {
    weak var pool: WorkerPool?
    do {
      let arithmetic = Arithmetic(pool: WorkerPool(threads: 3), mode: .int8)
      pool = arithmetic.pool
      let counter = Counter()
      arithmetic.pool.run(10) { _, _ in counter.add() }
      #expect(counter.value == 10)
    }
    let end = ContinuousClock.now + .seconds(300)
    while pool != nil, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.01) }
    #expect(pool == nil)
  }
}

/// A number that several threads change.
private final class Counter: Sendable {
  private let number = Atomic<Int>(0)
  var value: Int { number.load(ordering: .acquiring) }
  @discardableResult func add() -> Int {
    number.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
  }
  func subtract() { number.wrappingSubtract(1, ordering: .acquiringAndReleasing) }
}

import Foundation
import Synchronization
import TestSupport
import Testing
import VL2Base
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

  /// Some of the threads take part, others in the next job; those that were left out sleep meanwhile.
  @Test func crews() {
    let pool = WorkerPool(threads: 4)
    defer { pool.stop() }
    #expect(pool.crew == 4)
    let (sum, strangers) = (Counter(), Counter())
    var expected = 0
    for round in 0..<210 {
      pool.crew = [4, 1, 2, 4, 3, 2, 1][round % 7]
      let crew = pool.crew
      if round % 50 == 49 { usleep(5000) }
      pool.run(9) { _, worker in
        if worker >= crew { strangers.add() }
        sum.add()
      }
      pool.share(100, inRangesOf: 3) { range, worker in
        if worker >= crew { strangers.add() }
        for _ in range { sum.add() }
      }
      expected += 109
    }
    #expect(sum.value == expected && strangers.value == 0)
  }

  /// All of a crew are at work at the same time, those who slept as well.
  @Test func allOfACrew() {
    let pool = WorkerPool(threads: 4)
    defer { pool.stop() }
    for crew in [4, 2, 1, 3, 4] {
      pool.crew = crew
      usleep(20_000)
      let present = Counter()
      pool.run(crew) { _, _ in
        present.add()
        // Nobody can take a second item before all are there.
        while present.value < crew { usleep(100) }
      }
      #expect(present.value == crew)
    }
  }

  /// Where processors differ, the pool's own threads stay on the fast ones; here, on one of those there are.
  @Test func place() throws {
    let last = try #require(Processors.system.allowed.last)
    let pool = WorkerPool(threads: 3, place: [last])
    defer { pool.stop() }
    let (inside, elsewhere, present) = (Counter(), Counter(), Counter())
    pool.run(3) { _, worker in
      let processors = Processors.affinity(ofProcess: false)
      if worker == 0 { elsewhere.add(processors == Processors.system.allowed ? 1 : 0) }
      if worker > 0 { inside.add(processors == [last] ? 1 : 0) }
      present.add()
      while present.value < 3 { usleep(100) }
    }
    #expect(inside.value == 2 && elsewhere.value == 1)
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
    #expect(TestPatience.wait { pool == nil })
  }
}

/// A number that several threads change.
private final class Counter: Sendable {
  private let number = Atomic<Int>(0)
  var value: Int { number.load(ordering: .acquiring) }
  @discardableResult func add(_ count: Int = 1) -> Int {
    number.wrappingAdd(count, ordering: .acquiringAndReleasing).oldValue
  }
  func subtract() { number.wrappingSubtract(1, ordering: .acquiringAndReleasing) }
}

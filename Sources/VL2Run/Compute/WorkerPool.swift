import Foundation
import Synchronization
import SystemSupport

/// Threads that share one job at a time. Work items are handed out in ascending order, so that threads read
/// mapped weights in address order; between jobs a thread spins for a bounded while, then sleeps.
///
/// One thread at a time may call `run`; it works too.
package final class WorkerPool: @unchecked Sendable {
  /// Threads that work on a job, the caller's included.
  package let threads: Int

  /// Spins before a waiting thread sleeps: some hundred microseconds, more than lie between
  /// two jobs of one token.
  private static let spins = 20_000

  private let jobNumber: UnsafeMutablePointer<Atomic<UInt32>>
  private let unfinished: UnsafeMutablePointer<Atomic<UInt32>>
  private let nextItem = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  /// Threads that sleep, or are about to: nobody needs to be woken while there are none.
  private let sleepers = Atomic<Int>(0)
  private var job: ((_ worker: Int) -> Void)?

  /// - Parameter threads: at least 1.
  package init(threads: Int) {
    self.threads = max(1, threads)
    jobNumber = .allocate(capacity: 1)
    jobNumber.initialize(to: Atomic(0))
    unfinished = .allocate(capacity: 1)
    unfinished.initialize(to: Atomic(0))
    guard self.threads > 1 else { return }
    unfinished.pointee.store(UInt32(self.threads - 1), ordering: .releasing)
    for worker in 1..<self.threads {
      let thread = Thread { [unowned self] in self.serve(as: worker) }
      thread.name = "vl2-worker-\(worker)"
      thread.start()
    }
    waitUntilFinished()
  }

  deinit {
    if threads > 1 {
      unfinished.pointee.store(UInt32(threads - 1), ordering: .releasing)
      stopping.store(true, ordering: .releasing)
      announce()
      waitUntilFinished()
    }
    jobNumber.deinitialize(count: 1)
    jobNumber.deallocate()
    unfinished.deinitialize(count: 1)
    unfinished.deallocate()
  }

  /// Calls `body(item, worker)` for every item of 0..<items and returns when all are done. `worker` is below
  /// `threads`; two calls that run at the same time have different ones.
  package func run(_ items: Int, _ body: (_ item: Int, _ worker: Int) -> Void) {
    if threads == 1 || items <= 1 {
      for item in 0..<items { body(item, 0) }
      return
    }
    onAllThreads { worker in
      while true {
        let item = nextItem.wrappingAdd(1, ordering: .relaxed).oldValue
        if item >= items { return }
        body(item, worker)
      }
    }
  }

  /// Calls `body(range, worker)` for consecutive ranges that make up 0..<units: long ones first, so that each is read
  /// in one go, then ever shorter ones, so that all threads end together.
  ///
  /// - Parameter smallest: units below which no range is cut; at least 1.
  package func share(
    _ units: Int, inRangesOf smallest: Int, _ body: (_ range: Range<Int>, _ worker: Int) -> Void
  ) {
    if threads == 1 || units <= smallest {
      if units > 0 { body(0..<units, 0) }
      return
    }
    onAllThreads { worker in
      var first = nextItem.load(ordering: .relaxed)
      while first < units {
        let end = min(units, first + max(smallest, (units - first) / (2 * threads)))
        let (isOurs, found) = nextItem.weakCompareExchange(
          expected: first, desired: end, ordering: .relaxed)
        if isOurs {
          body(first..<end, worker)
          first = nextItem.load(ordering: .relaxed)
        } else {
          first = found
        }
      }
    }
  }

  /// Calls `job` once on each thread and returns when all are done.
  private func onAllThreads(_ job: (_ worker: Int) -> Void) {
    withoutActuallyEscaping(job) { job in
      self.job = job
      nextItem.store(0, ordering: .relaxed)
      unfinished.pointee.store(UInt32(threads - 1), ordering: .releasing)
      announce()
      job(0)
      waitUntilFinished()
      self.job = nil
    }
  }

  // Whoever sleeps counts itself first and then looks at the word again, inside the system call; whoever wakes changes
  // the word first and then looks at the count. In one order of all of these, one of the two sees the other.

  private func announce() {
    jobNumber.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    wake(jobNumber, threads - 1)
  }

  private func wake(_ atomic: UnsafeMutablePointer<Atomic<UInt32>>, _ count: Int) {
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 { vl2_futex_wake(word(atomic), Int32(count)) }
  }

  private func sleep(_ atomic: UnsafeMutablePointer<Atomic<UInt32>>, while value: UInt32) {
    sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    vl2_futex_wait(word(atomic), value)
    sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
  }

  private func waitUntilFinished() {
    var spins = 0
    while true {
      let left = unfinished.pointee.load(ordering: .acquiring)
      if left == 0 { return }
      spins += 1
      if spins < Self.spins { vl2_spin_hint() } else { sleep(unfinished, while: left) }
    }
  }

  private func finishedOne() {
    let left = unfinished.pointee.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue
    if left == 0 { wake(unfinished, 1) }
  }

  /// A thread's last word, after which the pool may be gone.
  private func leave() {
    let word = word(unfinished)
    let left = unfinished.pointee.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
    if left == 0 { vl2_futex_wake(word, 1) }
  }

  /// The life of a worker thread. The pool outlives it: `deinit` waits for its last word.
  private func serve(as worker: Int) {
    var seen = jobNumber.pointee.load(ordering: .acquiring)
    finishedOne()
    while true {
      var spins = 0
      while jobNumber.pointee.load(ordering: .acquiring) == seen {
        spins += 1
        if spins < Self.spins { vl2_spin_hint() } else { sleep(jobNumber, while: seen) }
      }
      seen &+= 1
      let last = stopping.load(ordering: .acquiring)
      if last { return leave() }
      job?(worker)
      finishedOne()
    }
  }

  private func word(_ atomic: UnsafeMutablePointer<Atomic<UInt32>>) -> UnsafePointer<UInt32> {
    UnsafeRawPointer(atomic).assumingMemoryBound(to: UInt32.self)
  }
}

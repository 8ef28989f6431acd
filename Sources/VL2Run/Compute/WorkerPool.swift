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
  private var itemCount = 0
  private var body: ((_ item: Int, _ worker: Int) -> Void)?

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
    withoutActuallyEscaping(body) { body in
      self.body = body
      itemCount = items
      nextItem.store(0, ordering: .relaxed)
      unfinished.pointee.store(UInt32(threads - 1), ordering: .releasing)
      announce()
      takeItems(as: 0)
      waitUntilFinished()
      self.body = nil
    }
  }

  private func announce() {
    jobNumber.pointee.wrappingAdd(1, ordering: .releasing)
    vl2_futex_wake(word(jobNumber), Int32(threads - 1))
  }

  private func takeItems(as worker: Int) {
    guard let body else { return }
    while true {
      let item = nextItem.wrappingAdd(1, ordering: .relaxed).oldValue
      if item >= itemCount { return }
      body(item, worker)
    }
  }

  private func waitUntilFinished() {
    var spins = 0
    while true {
      let left = unfinished.pointee.load(ordering: .acquiring)
      if left == 0 { return }
      spins += 1
      if spins < Self.spins { vl2_spin_hint() } else { vl2_futex_wait(word(unfinished), left) }
    }
  }

  private func finishedOne() {
    if unfinished.pointee.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
      vl2_futex_wake(word(unfinished), 1)
    }
  }

  /// The life of a worker thread. The pool outlives it: `deinit` waits for its last word.
  private func serve(as worker: Int) {
    var seen = jobNumber.pointee.load(ordering: .acquiring)
    finishedOne()
    while true {
      var spins = 0
      while jobNumber.pointee.load(ordering: .acquiring) == seen {
        spins += 1
        if spins < Self.spins { vl2_spin_hint() } else { vl2_futex_wait(word(jobNumber), seen) }
      }
      seen &+= 1
      let last = stopping.load(ordering: .acquiring)
      if !last { takeItems(as: worker) }
      finishedOne()
      if last { return }
    }
  }

  private func word(_ atomic: UnsafeMutablePointer<Atomic<UInt32>>) -> UnsafePointer<UInt32> {
    UnsafeRawPointer(atomic).assumingMemoryBound(to: UInt32.self)
  }
}

import Synchronization
import SystemSupport
import VL2Base

/// Threads that share one job at a time. Work is handed out so that each thread reads memory-mapped weights
/// in address order. Between jobs a thread spins for a limited time, then sleeps.
///
/// Only one thread at a time may call `run`; it takes part in the work. The threads keep the pool alive until `stop`,
/// which its owner calls (`Arithmetic` does).
package final class WorkerPool: @unchecked Sendable {
  /// Threads that work on a job, the caller's included: as many as were wanted, or as the system makes.
  package private(set) var threads: Int
  /// How many of them take part in jobs from now on, the caller's included: 1 to `threads`. The others sleep. For the thread
  /// that calls `run` alone.
  package var crew: Int
  /// Counts jobs and waiting here, and stages elsewhere; nil unless time is measured.
  package var clock: StageClock?

  /// How often a waiting thread spins before it sleeps: some hundred microseconds, longer than the time
  /// between two jobs of one token.
  private static let spins = 20_000

  /// A job's number, and in its lowest bits the crew: a thread that is not of it must not look at the job.
  private let jobNumber: UnsafeMutablePointer<Atomic<UInt64>>
  private let unfinished: UnsafeMutablePointer<Atomic<UInt32>>
  /// For each thread 1 while it sleeps or is about to. Each has a cache line of its own.
  private let beds: UnsafeMutablePointer<Atomic<UInt32>>
  private let nextItem = Atomic<Int>(0)
  /// For each thread, the units of its part that no thread has taken yet: the first one in the lower half,
  /// the end in the upper half. Each thread's entry has a cache line of its own.
  private let parts: UnsafeMutablePointer<Atomic<UInt64>>
  private let stopping = Atomic<Bool>(false)
  /// Workers that sleep or are about to. While there are none, nobody needs to be woken.
  private let sleepers = Atomic<Int>(0)
  /// Whether the caller sleeps or is about to.
  private let callerSleeps = Atomic<Bool>(false)
  private var job: Job?

  /// The job that the threads work on.
  private struct Job {
    var entry: SharedWorkEntry
    /// A value of the work's type, on the stack of the thread that shares it out.
    var work: UnsafeRawPointer
    var crew: Int
    var units: Int
    /// The fewest units in a range; 0 where units are handed out one by one, in order.
    var smallest: Int
  }

  /// - Parameters:
  ///   - threads: at least 1.
  ///   - place: the processors on which the pool's own threads stay; nil for all.
  package init(threads: Int, place: [Int]? = nil) {
    self.threads = min(max(1, threads), Int(Self.crewBits))
    crew = self.threads
    // In a cache line that nothing else changes: threads that wait look at it all the time.
    jobNumber = .allocate(capacity: Self.partStep)
    jobNumber.initialize(to: Atomic(0))
    unfinished = .allocate(capacity: 1)
    unfinished.initialize(to: Atomic(0))
    beds = .allocate(capacity: self.threads * Self.bedStep)
    for i in 0..<self.threads * Self.bedStep { (beds + i).initialize(to: Atomic(0)) }
    parts = .allocate(capacity: self.threads * Self.partStep)
    for i in 0..<self.threads * Self.partStep { (parts + i).initialize(to: Atomic(0)) }
    guard self.threads > 1 else { return }
    unfinished.pointee.store(UInt32(self.threads - 1), ordering: .releasing)
    for worker in 1..<self.threads {
      do {
        try SystemThread.start("vl2-worker-\(worker)") {
          if let place { Processors.keepThisThread(on: place) }
          self.serve(as: worker)
        }
      } catch {
        let missing = UInt32(self.threads - worker)
        unfinished.pointee.wrappingSubtract(missing, ordering: .sequentiallyConsistent)
        self.threads = worker
        crew = worker
        break
      }
    }
    waitUntilFinished()
  }

  /// Ends the threads and waits until they have left; no job may be run afterwards.
  package func stop() {
    guard threads > 1, !stopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
    crew = threads
    unfinished.pointee.store(UInt32(threads - 1), ordering: .releasing)
    announce()
    waitUntilFinished()
  }

  deinit {
    jobNumber.deinitialize(count: 1)
    jobNumber.deallocate()
    unfinished.deinitialize(count: 1)
    unfinished.deallocate()
    // Of as many as there should have been; an atomic number needs no end.
    beds.deallocate()
    parts.deinitialize(count: threads * Self.partStep)
    parts.deallocate()
  }

  /// Calls `body(item, worker)` for every item of 0..<items and returns when all are done. `worker` is below
  /// `threads`; two calls that run at the same time have different workers.
  package func run(_ items: Int, _ body: (_ item: Int, _ worker: Int) -> Void) {
    // Handled before the closure is made escaping, which allocates.
    if crew == 1 || items <= 1 {
      for item in 0..<items { body(item, 0) }
      return
    }
    withoutActuallyEscaping(body) { body in
      run(items, ClosureWork { range, worker in for item in range { body(item, worker) } })
    }
  }

  /// Does items 0..<items of `work`, one by one, and returns when all are done.
  package func run<Work: SharedWork>(_ items: Int, _ work: Work) {
    if crew == 1 || items <= 1 {
      if items > 0 { work.work(on: 0..<items, worker: 0) }
      return
    }
    onAllThreads(work, units: items, smallest: 0)
  }

  /// Calls `body(range, worker)` for ranges that make up 0..<units, shared out like work in the other `share`.
  package func share(
    _ units: Int, inRangesOf smallest: Int, _ body: (_ range: Range<Int>, _ worker: Int) -> Void
  ) {
    withoutActuallyEscaping(body) { share(units, inRangesOf: smallest, ClosureWork(body: $0)) }
  }

  /// Does units 0..<units of `work` in ranges. Each thread has a part of its own and goes through it in
  /// order, so that it reads memory in one sequence. A thread that has finished takes ranges from the ends of
  /// the others' parts.
  ///
  /// - Parameter smallest: the fewest units in a range; at least 1.
  package func share<Work: SharedWork>(_ units: Int, inRangesOf smallest: Int, _ work: Work) {
    if crew == 1 || units <= smallest {
      if units > 0 { work.work(on: 0..<units, worker: 0) }
      return
    }
    var first = 0
    for worker in 0..<crew {
      let end = worker == crew - 1 ? units : units * (worker + 1) / crew / smallest * smallest
      parts[worker * Self.partStep].store(Self.pack(first, end), ordering: .relaxed)
      first = end
    }
    onAllThreads(work, units: units, smallest: smallest)
  }

  /// Entries between the parts of two threads, and between their beds: a cache line.
  private static let partStep = 8
  private static let bedStep = 16
  /// The bits of a job's number that hold its crew.
  private static let crewBits: UInt64 = 0xFFF

  private static func pack(_ first: Int, _ end: Int) -> UInt64 { UInt64(first) | UInt64(end) << 32 }

  /// Takes a quarter of what is left of a part, but at least `smallest` units; takes everything where fewer
  /// than `smallest` would be left.
  private func take(from owner: Int, _ smallest: Int, fromFront: Bool) -> Range<Int>? {
    let part = parts + owner * Self.partStep
    var seen = part.pointee.load(ordering: .relaxed)
    while true {
      let (first, end) = (Int(seen & 0xFFFF_FFFF), Int(seen >> 32))
      if first >= end { return nil }
      var count = max(smallest, (end - first) / 4)
      if end - first - count < smallest { count = end - first }
      let left = fromFront ? Self.pack(first + count, end) : Self.pack(first, end - count)
      let (isOurs, found) = part.pointee.weakCompareExchange(
        expected: seen, desired: left, ordering: .relaxed)
      if isOurs { return fromFront ? first..<first + count : end - count..<end }
      seen = found
    }
  }

  /// Returns when all threads of the crew together have done `work`.
  private func onAllThreads<Work: SharedWork>(_ work: Work, units: Int, smallest: Int) {
    withUnsafePointer(to: work) { work in
      let job = Job(
        entry: Work.entry, work: UnsafeRawPointer(work), crew: crew, units: units, smallest: smallest)
      self.job = job
      nextItem.store(0, ordering: .relaxed)
      unfinished.pointee.store(UInt32(crew - 1), ordering: .releasing)
      announce()
      takePart(in: job, as: 0)
      if let clock {
        clock.countJob(waited: ContinuousClock().measure { waitUntilFinished() })
      } else {
        waitUntilFinished()
      }
      self.job = nil
    }
  }

  /// Does one thread's share of a job.
  private func takePart(in job: Job, as worker: Int) {
    if job.smallest == 0 {
      while true {
        let item = nextItem.wrappingAdd(1, ordering: .relaxed).oldValue
        if item >= job.units { return }
        job.entry(job.work, item, item + 1, worker)
      }
    }
    for other in 0..<job.crew {
      let owner = (worker + other) % job.crew
      while let range = take(from: owner, job.smallest, fromFront: owner == worker) {
        job.entry(job.work, range.lowerBound, range.upperBound, worker)
      }
    }
  }

  // A thread that goes to sleep first says so and then looks once more whether it is wanted. A thread that wants others first
  // says that and then looks who sleeps. These operations have a single order, so at least one of the two sees what the
  // other did.

  private func announce() {
    // The caller alone writes the number. An exchange, because an emulator of arm64 on x86-64 lets a load overtake a store
    // (qemu 7.2; Benchmarks/LOG.md), and then who sleeps is not woken.
    let last = jobNumber.pointee.load(ordering: .relaxed)
    _ = jobNumber.pointee.exchange(
      (last & ~Self.crewBits) &+ (Self.crewBits + 1) | UInt64(crew), ordering: .sequentiallyConsistent)
    guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
    for worker in 1..<crew {
      let bed = beds + worker * Self.bedStep
      guard bed.pointee.load(ordering: .sequentiallyConsistent) == 1 else { continue }
      bed.pointee.store(0, ordering: .sequentiallyConsistent)
      vl2_futex_wake(word(bed), 1)
    }
  }

  private func waitUntilFinished() {
    var spins = 0
    while true {
      let left = unfinished.pointee.load(ordering: .acquiring)
      if left == 0 { return }
      spins += 1
      if spins < Self.spins {
        vl2_spin_hint()
      } else {
        callerSleeps.store(true, ordering: .sequentiallyConsistent)
        vl2_futex_wait(word(unfinished), left)
        callerSleeps.store(false, ordering: .sequentiallyConsistent)
      }
    }
  }

  private func finishedOne() {
    let left = unfinished.pointee.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue
    if left == 0, callerSleeps.load(ordering: .sequentiallyConsistent) { vl2_futex_wake(word(unfinished), 1) }
  }

  /// Waits for a job that has this worker in its crew.
  ///
  /// - Parameter seen: the number of the last job that it took part in.
  /// - Returns: the number of the new one.
  private func nextJob(after seen: UInt64, for worker: Int) -> UInt64 {
    let bed = beds + worker * Self.bedStep
    func isWanted(_ number: UInt64) -> Bool { number != seen && worker < Int(number & Self.crewBits) }
    var spins = 0
    while true {
      let number = jobNumber.pointee.load(ordering: .acquiring)
      if isWanted(number) { return number }
      spins += 1
      if spins < Self.spins {
        vl2_spin_hint()
        continue
      }
      bed.pointee.store(1, ordering: .sequentiallyConsistent)
      sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
      if !isWanted(jobNumber.pointee.load(ordering: .sequentiallyConsistent)) { vl2_futex_wait(word(bed), 1) }
      sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
      bed.pointee.store(0, ordering: .sequentiallyConsistent)
    }
  }

  /// What a worker thread runs, until `stop`.
  private func serve(as worker: Int) {
    var seen = jobNumber.pointee.load(ordering: .acquiring)
    finishedOne()
    while true {
      seen = nextJob(after: seen, for: worker)
      let last = stopping.load(ordering: .acquiring)
      if last { return finishedOne() }
      if let job { takePart(in: job, as: worker) }
      finishedOne()
    }
  }

  private func word(_ atomic: UnsafeMutablePointer<Atomic<UInt32>>) -> UnsafePointer<UInt32> {
    UnsafeRawPointer(atomic).assumingMemoryBound(to: UInt32.self)
  }
}

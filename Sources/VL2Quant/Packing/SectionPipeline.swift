import Foundation

/// Makes the raw bytes of sections piece by piece on several threads, and hands the sections on in order.
///
/// Pieces are taken in order, so few sections are in the making at a time; their sum stays under `budget` (one
/// section alone may be larger). What comes out does not depend on the number of threads.
struct SectionPipeline<Result: Sendable> {
  /// A section to make: its length in bytes and the number of pieces it is made in, at least 1.
  struct Order: Sendable {
    var length: Int
    var pieces: Int
  }

  /// One piece of one section, to be written into the section's bytes, which begin as zeros and are 64-byte
  /// aligned. Pieces of one section write to different places.
  struct Job: Sendable {
    var section: Int
    var piece: Int
    nonisolated(unsafe) var bytes: UnsafeMutableRawBufferPointer
  }

  var threads: Int
  var budget: Int

  /// Makes all sections.
  ///
  /// - Parameters:
  ///   - worker: called once on every thread; what it returns makes pieces, one at a time.
  ///   - advanced: called on this thread whenever pieces are done, with the number done so far. Ends the work by
  ///     throwing.
  ///   - finish: called on this thread for every section in order, with the results of its pieces in order.
  /// - Throws: what `worker` threw for the earliest piece, or what `advanced` or `finish` threw. All threads
  ///   have ended by then.
  func run(
    _ orders: [Order], worker: @escaping @Sendable () -> (Job) throws -> Result,
    advanced: (Int) throws -> Void, finish: (Int, UnsafeRawBufferPointer, [Result]) throws -> Void
  ) throws {
    let board = Board<Result>(orders: orders, budget: budget)
    let count = max(1, min(threads, orders.reduce(0) { $0 + $1.pieces }))
    for _ in 0..<count { Thread(block: { board.work(worker()) }).start() }
    defer { board.close(workers: count) }
    for index in orders.indices {
      while let done = board.awaitProgress(section: index) { try advanced(done) }
      guard let section = board.takeSection(index) else { break }
      defer { board.release(section, length: orders[index].length) }
      try finish(index, UnsafeRawBufferPointer(section.bytes), section.results.compactMap(\.self))
    }
    board.close(workers: count)
    if let failure = board.failure { throw failure }
  }
}

/// What the threads of a pipeline share. Everything is guarded by `condition`.
private final class Board<Result: Sendable>: @unchecked Sendable {
  struct Section {
    var bytes: UnsafeMutableRawBufferPointer
    var remaining: Int
    var results: [Result?]
  }

  private let condition = NSCondition()
  private let orders: [SectionPipeline<Result>.Order]
  private let budget: Int
  private var sections: [Int: Section] = [:]
  private var nextSection = 0
  private var nextPiece = 0
  private var bytesInTheMaking = 0
  private var piecesDone = 0
  private var piecesSeen = 0
  private var workersEnded = 0
  private var closed = false
  private var failed: (section: Int, piece: Int, error: any Error)?

  init(orders: [SectionPipeline<Result>.Order], budget: Int) {
    self.orders = orders
    self.budget = budget
  }

  deinit {
    for section in sections.values { Self.unmap(section.bytes) }
  }

  // MARK: - Workers

  func work(_ make: (SectionPipeline<Result>.Job) throws -> Result) {
    while let job = claim() {
      do {
        complete(job, with: try make(job))
      } catch {
        fail(section: job.section, piece: job.piece, error)
      }
    }
    condition.withLock {
      workersEnded += 1
      condition.broadcast()
    }
  }

  private func claim() -> SectionPipeline<Result>.Job? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      guard !closed, failed == nil, nextSection < orders.count else { return nil }
      let order = orders[nextSection]
      if nextPiece > 0 || bytesInTheMaking == 0 || bytesInTheMaking + order.length <= budget { break }
      condition.wait()
    }
    let order = orders[nextSection]
    if nextPiece == 0 {
      guard let bytes = Self.mapped(order.length) else {
        failed = (nextSection, 0, PackingError.noMemory(bytes: order.length))
        condition.broadcast()
        return nil
      }
      sections[nextSection] = Section(
        bytes: bytes, remaining: order.pieces, results: [Result?](repeating: nil, count: order.pieces))
      bytesInTheMaking += order.length
    }
    guard let bytes = sections[nextSection]?.bytes else { return nil }
    let job = SectionPipeline<Result>.Job(section: nextSection, piece: nextPiece, bytes: bytes)
    nextPiece += 1
    if nextPiece == order.pieces {
      nextPiece = 0
      nextSection += 1
    }
    return job
  }

  /// Zeros from the kernel, which go back to it at once when the section is done.
  private static func mapped(_ count: Int) -> UnsafeMutableRawBufferPointer? {
    let memory = mmap(nil, max(count, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { return nil }
    return UnsafeMutableRawBufferPointer(start: memory, count: count)
  }

  private static func unmap(_ bytes: UnsafeMutableRawBufferPointer) {
    munmap(bytes.baseAddress, max(bytes.count, 1))
  }

  private func complete(_ job: SectionPipeline<Result>.Job, with result: Result) {
    condition.withLock {
      sections[job.section]?.results[job.piece] = result
      sections[job.section]?.remaining -= 1
      piecesDone += 1
      condition.broadcast()
    }
  }

  private func fail(section: Int, piece: Int, _ error: any Error) {
    condition.withLock {
      // Of several failures the earliest counts, so that the message does not depend on the threads.
      if failed.map({ (section, piece) < ($0.section, $0.piece) }) ?? true {
        failed = (section, piece, error)
      }
      condition.broadcast()
    }
  }

  // MARK: - The thread that hands sections on

  /// Waits until more pieces are done and returns their number; nil when the section is made or work has
  /// failed.
  func awaitProgress(section index: Int) -> Int? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if failed != nil || sections[index]?.remaining == 0 { return nil }
      if piecesDone > piecesSeen {
        piecesSeen = piecesDone
        return piecesDone
      }
      condition.wait()
    }
  }

  /// The made section, which the caller gives back with `release`; nil when work has failed.
  func takeSection(_ index: Int) -> Section? {
    condition.withLock { failed == nil ? sections.removeValue(forKey: index) : nil }
  }

  func release(_ section: Section, length: Int) {
    Self.unmap(section.bytes)
    condition.withLock {
      bytesInTheMaking -= length
      condition.broadcast()
    }
  }

  /// Lets the workers end and waits for them.
  func close(workers: Int) {
    condition.lock()
    closed = true
    condition.broadcast()
    while workersEnded < workers { condition.wait() }
    condition.unlock()
  }

  /// What the earliest piece that failed threw.
  var failure: (any Error)? { condition.withLock { failed?.error } }
}

/// Does numbered pieces of work on several threads and hands the results on in order.
///
/// Pieces are taken in order, and only as many as fit into `budget`, so that finished results that wait for
/// an earlier one do not pile up. The results do not depend on the number of threads.
package struct OrderedWork {
  package var threads: Int
  /// How much may be in progress or waiting, in the unit of `costs`. A single piece may cost more.
  package var budget: Int

  package init(threads: Int, budget: Int) {
    self.threads = threads
    self.budget = budget
  }

  /// - Parameters:
  ///   - costs: how much of the budget each piece takes.
  ///   - make: does one piece; called on any of the threads.
  ///   - finish: takes the results, called on this thread in order.
  /// - Throws: what `make` threw for the earliest piece, or what `finish` threw. All threads have ended by then.
  package func run<Result: Sendable>(
    costs: [Int], make: @escaping @Sendable (Int) throws -> Result, finish: (Int, Result) throws -> Void
  ) throws {
    let count = min(threads, costs.count)
    if count <= 1 {
      for index in costs.indices { try finish(index, try make(index)) }
      return
    }
    let board = Board<Result>(costs: costs, budget: budget)
    var workers = 0
    // Where the system makes fewer threads, there are fewer.
    while workers < count, (try? SystemThread.start("vl2-work") { board.work(make) }) != nil { workers += 1 }
    if workers == 0 {
      return try OrderedWork(threads: 1, budget: budget).run(costs: costs, make: make, finish: finish)
    }
    do {
      defer { board.close(workers: workers) }
      for index in costs.indices {
        guard let result = board.take(index) else { break }
        try finish(index, result)
        board.release(index)
      }
    }
    if let failure = board.failure { throw failure }
  }
}

/// What the threads share. Everything that changes is guarded by `condition`.
private final class Board<Result: Sendable>: @unchecked Sendable {
  private let condition = Condition()
  private let costs: [Int]
  private let budget: Int
  private var next = 0
  private var used = 0
  private var results: [Int: Result] = [:]
  private var workersEnded = 0
  private var closed = false
  private var failed: (index: Int, error: any Error)?

  init(costs: [Int], budget: Int) {
    self.costs = costs
    self.budget = budget
  }

  func work(_ make: (Int) throws -> Result) {
    while let index = claim() {
      do {
        let result = try make(index)
        condition.withLock {
          results[index] = result
          condition.broadcast()
        }
      } catch {
        fail(index, error)
      }
    }
    condition.withLock {
      workersEnded += 1
      condition.broadcast()
    }
  }

  private func claim() -> Int? {
    condition.lock()
    defer { condition.unlock() }
    while !closed, failed == nil, next < costs.count {
      if used == 0 || used <= budget - costs[next] {
        used += costs[next]
        next += 1
        return next - 1
      }
      condition.wait()
    }
    return nil
  }

  private func fail(_ index: Int, _ error: any Error) {
    condition.withLock {
      // Pieces are taken in order, so all pieces before a failed one were taken too. The earliest failure is
      // therefore always among the reported ones, and the message does not depend on the threads.
      if index < failed?.index ?? .max { failed = (index, error) }
      condition.broadcast()
    }
  }

  /// Waits for a result; nil if there will be none because of a failure. Pieces before the failed one were
  /// started before it; their results are still handed on.
  func take(_ index: Int) -> Result? {
    condition.lock()
    defer { condition.unlock() }
    while results[index] == nil, index < failed?.index ?? .max { condition.wait() }
    return results.removeValue(forKey: index)
  }

  /// What the earliest piece that failed threw.
  var failure: (any Error)? { condition.withLock { failed?.error } }

  /// Gives back to the budget what a result cost, once it was handed on.
  func release(_ index: Int) {
    condition.withLock {
      used -= costs[index]
      condition.broadcast()
    }
  }

  /// Tells the workers to stop and waits for them.
  func close(workers: Int) {
    condition.lock()
    closed = true
    condition.broadcast()
    while workersEnded < workers { condition.wait() }
    condition.unlock()
  }
}

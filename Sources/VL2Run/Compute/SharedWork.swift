/// Work in units that threads share.
///
/// A job that runs for every token is a value of its own type rather than a closure: the context of a closure
/// that crosses to another thread has to be allocated and reference-counted.
package protocol SharedWork {
  /// Does the units of `range`; called on several threads at once. `worker` tells them apart (see `WorkerPool`).
  func work(on range: Range<Int>, worker: Int)

  /// Calls `work` of a value of this type. A conforming type writes
  /// `{ $0.assumingMemoryBound(to: Self.self).pointee.work(on: $1..<$2, worker: $3) }`: such a function can
  /// only be formed where the type is known.
  static var entry: SharedWorkEntry { get }
}

/// The function that another thread calls, with the address of a value, the first unit, the end of the units
/// and the worker.
package typealias SharedWorkEntry =
  @convention(c) (_ work: UnsafeRawPointer, _ first: Int, _ end: Int, _ worker: Int) -> Void

/// A closure as work.
struct ClosureWork: SharedWork {
  let body: (_ range: Range<Int>, _ worker: Int) -> Void

  func work(on range: Range<Int>, worker: Int) { body(range, worker) }

  static let entry: SharedWorkEntry = {
    $0.assumingMemoryBound(to: ClosureWork.self).pointee.work(on: $1..<$2, worker: $3)
  }
}

import Foundation

/// Keeps the first error of work items that run on several threads.
final class Failures: @unchecked Sendable {
  private let lock = NSLock()
  private var first: (any Error)?

  func catching(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      lock.withLock { if first == nil { first = error } }
    }
  }

  func throwFirst() throws { if let first { throw first } }
}

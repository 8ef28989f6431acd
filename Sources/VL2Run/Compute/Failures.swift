import VL2Base

/// Keeps the first error of work items that run on several threads.
final class Failures: Sendable {
  private let first = Monitor<(any Error)?>(nil)

  func catching(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      first.withLock { if $0 == nil { $0 = error } }
    }
  }

  func throwFirst() throws { if let error = first.withLock({ $0 }) { throw error } }
}

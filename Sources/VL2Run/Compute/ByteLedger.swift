import Synchronization

/// Counts bytes that live longer than one stage: caches of conversations, encoded pictures.
package final class ByteLedger: Sendable {
  private let count = Atomic<Int>(0)

  package init() {}

  package var bytes: Int { count.load(ordering: .relaxed) }

  package func add(_ bytes: Int) { count.wrappingAdd(bytes, ordering: .relaxed) }
}

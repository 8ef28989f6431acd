import Synchronization

/// Counts the bytes of all bodies, so that many clients together cannot take all memory.
final class BodyLedger: Sendable {
  private let limit: Int
  private let count = Atomic<Int>(0)

  init(limit: Int) { self.limit = limit }

  /// Whether there is room for so many bytes more; they then count until they are given back.
  func take(_ bytes: Int) -> Bool {
    let (_, count) = count.add(bytes, ordering: .relaxed)
    if count <= limit { return true }
    give(bytes)
    return false
  }

  func give(_ bytes: Int) { count.subtract(bytes, ordering: .relaxed) }
}

/// Memory that grows when asked for more and is reused otherwise; aligned to 64 bytes, contents undefined.
///
/// A struct with one owner, not a class: reserving memory counts no reference.
package struct AlignedStorage: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  /// Bytes that are allocated.
  package private(set) var byteCount = 0

  private let ledger: ByteLedger?

  /// - Parameter ledger: counts the bytes; nil for memory that a stage needs only for a while.
  package init(ledger: ByteLedger? = nil) { self.ledger = ledger }

  deinit {
    base?.deallocate()
    ledger?.add(-byteCount)
  }

  /// At least `count` elements. Earlier contents are lost when the memory has to grow.
  package mutating func reserve<T: BitwiseCopyable>(
    _ count: Int, of type: T.Type = T.self
  ) -> UnsafeMutablePointer<T> {
    let bytes = max(64, count * MemoryLayout<T>.stride)
    if bytes > byteCount {
      release()
      base = .allocate(byteCount: bytes, alignment: 64)
      byteCount = bytes
      ledger?.add(bytes)
    }
    return base!.bindMemory(to: T.self, capacity: count)
  }

  /// Frees the memory.
  package mutating func release() {
    base?.deallocate()
    ledger?.add(-byteCount)
    base = nil
    byteCount = 0
  }
}

/// Memory that grows when asked for more and is reused otherwise; aligned to 64 bytes, contents undefined.
package final class AlignedBuffer {
  private var base: UnsafeMutableRawPointer?
  private var capacity = 0

  /// Bytes that are taken.
  package var byteCount: Int { capacity }

  private let ledger: MemoryLedger?

  /// - Parameter ledger: counts the buffer's bytes; nil for memory that a stage needs for a while.
  package init(ledger: MemoryLedger? = nil) { self.ledger = ledger }

  deinit { release() }

  /// At least `count` elements. Earlier contents are lost when the buffer has to grow.
  package func reserve<T: BitwiseCopyable>(_ count: Int, of type: T.Type = T.self) -> UnsafeMutablePointer<T>
  {
    let bytes = max(64, count * MemoryLayout<T>.stride)
    if bytes > capacity {
      release()
      base = .allocate(byteCount: bytes, alignment: 64)
      capacity = bytes
      ledger?.add(bytes)
    }
    return base!.bindMemory(to: T.self, capacity: count)
  }

  /// Gives the memory back.
  package func release() {
    base?.deallocate()
    ledger?.add(-capacity)
    base = nil
    capacity = 0
  }
}

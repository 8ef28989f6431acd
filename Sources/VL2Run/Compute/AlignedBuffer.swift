/// `AlignedStorage` that several owners may share.
package final class AlignedBuffer {
  private var memory: AlignedStorage

  /// - Parameter ledger: counts the buffer's bytes; nil for memory that a stage needs only for a while.
  package init(ledger: ByteLedger? = nil) { memory = AlignedStorage(ledger: ledger) }

  /// At least `count` elements. Earlier contents are lost when the buffer has to grow.
  package func reserve<T: BitwiseCopyable>(_ count: Int, of type: T.Type = T.self) -> UnsafeMutablePointer<T>
  {
    memory.reserve(count)
  }

  /// Frees the memory.
  package func release() { memory.release() }
}

/// Memory that grows when asked for more and is reused otherwise; aligned to 64 bytes, contents undefined.
package final class AlignedBuffer {
  private var base: UnsafeMutableRawPointer?
  private var capacity = 0

  package init() {}

  deinit { base?.deallocate() }

  /// At least `count` elements. Earlier contents are lost when the buffer has to grow.
  package func reserve<T: BitwiseCopyable>(_ count: Int, of type: T.Type = T.self) -> UnsafeMutablePointer<T>
  {
    let bytes = max(64, count * MemoryLayout<T>.stride)
    if bytes > capacity {
      base?.deallocate()
      base = .allocate(byteCount: bytes, alignment: 64)
      capacity = bytes
    }
    return base!.bindMemory(to: T.self, capacity: count)
  }

  /// Gives the memory back.
  package func release() {
    base?.deallocate()
    base = nil
    capacity = 0
  }
}

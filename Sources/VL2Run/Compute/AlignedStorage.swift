import Glibc

/// Memory that grows when asked for more and is reused otherwise; aligned to 64 bytes, contents undefined.
///
/// A struct with one owner, not a class: reserving memory counts no reference. Large memory comes from the system itself
/// and goes back to it: in malloc's hands, pieces of many sizes would leave gaps that add up over the days.
package struct AlignedStorage: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  /// Bytes that are allocated.
  package private(set) var byteCount = 0
  private var isMapped = false

  private let ledger: ByteLedger?

  /// The fewest bytes that the system is asked for.
  private static let mappedBytes = 128 << 10

  /// - Parameter ledger: counts the bytes; nil for memory that a stage needs only for a while.
  package init(ledger: ByteLedger? = nil) { self.ledger = ledger }

  deinit {
    Self.free(base, byteCount, isMapped: isMapped)
    ledger?.add(-byteCount)
  }

  /// At least `count` elements. Earlier contents are lost when the memory has to grow.
  package mutating func reserve<T: BitwiseCopyable>(
    _ count: Int, of type: T.Type = T.self
  ) -> UnsafeMutablePointer<T> {
    let bytes = max(64, count * MemoryLayout<T>.stride)
    if bytes > byteCount {
      release()
      allocate(bytes)
      ledger?.add(bytes)
    }
    return base!.bindMemory(to: T.self, capacity: count)
  }

  /// Frees the memory.
  package mutating func release() {
    Self.free(base, byteCount, isMapped: isMapped)
    ledger?.add(-byteCount)
    base = nil
    byteCount = 0
  }

  private mutating func allocate(_ bytes: Int) {
    byteCount = bytes
    if bytes >= Self.mappedBytes,
      let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      memory != MAP_FAILED
    {
      (base, isMapped) = (memory, true)
    } else {
      (base, isMapped) = (.allocate(byteCount: bytes, alignment: 64), false)
    }
  }

  private static func free(_ base: UnsafeMutableRawPointer?, _ bytes: Int, isMapped: Bool) {
    if isMapped { munmap(base, bytes) } else { base?.deallocate() }
  }
}

import Glibc

/// Anonymous memory at a fixed address: the system gives pages when they are first written and takes them
/// back on `release`.
package final class PageRegion {
  package let base: UnsafeMutableRawPointer
  package let bytes: Int

  /// - Throws: `MemoryError` where the system refuses the address space.
  package init(bytes: Int) throws {
    self.bytes = max(1, bytes)
    guard
      let memory = mmap(
        nil, self.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      memory != MAP_FAILED
    else { throw MemoryError(bytes: bytes) }
    base = memory
  }

  deinit { munmap(base, bytes) }

  /// Gives the pages of a range back to the system; the range reads as zeros afterwards.
  ///
  /// - Parameter range: its ends are multiples of the size of a page.
  package func release(_ range: Range<Int>) {
    if !range.isEmpty { madvise(base + range.lowerBound, range.count, MADV_DONTNEED) }
  }
}

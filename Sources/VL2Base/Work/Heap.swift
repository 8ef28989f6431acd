import SystemSupport

/// The memory that malloc hands out.
package enum Heap {
  /// For a program that runs for long: from now on a block of 1 MiB and more goes back to the system when it is freed.
  ///
  /// glibc raises that bound to the largest block that was freed, up to 32 MiB, and then keeps such blocks where others have
  /// come to lie behind them: after some bodies of 34 MB a server kept 64 MB for good (Benchmarks/LOG.md).
  package static func returnLargeBlocks() { vl2_return_large_blocks() }

  /// Gives back what was freed and is kept for later.
  package static func trim() { vl2_trim_heap() }
}

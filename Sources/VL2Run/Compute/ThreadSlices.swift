/// Memory of one size for each thread of a pool, in one buffer.
struct ThreadSlices<T: BitwiseCopyable> {
  private let base: UnsafeMutablePointer<T>
  private let step: Int

  /// - Parameters:
  ///   - memory: where the slices are taken from; earlier contents may be lost.
  ///   - count: elements of each thread's slice; each slice is 64-byte aligned.
  init(_ memory: inout AlignedStorage, _ count: Int, threads: Int) {
    let line = 64 / MemoryLayout<T>.stride
    step = (count + line - 1) / line * line
    base = memory.reserve(threads * step)
  }

  /// The memory of a thread.
  subscript(worker: Int) -> UnsafeMutablePointer<T> { base + worker * step }
}

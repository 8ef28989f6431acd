/// Memory of one size for each thread of a pool, in one buffer.
struct ThreadSlices<T: BitwiseCopyable> {
  private let base: UnsafeMutablePointer<T>
  private let step: Int

  /// - Parameters:
  ///   - memory: what it is taken from; earlier contents may be lost.
  ///   - count: elements that a thread has, each thread's 64-byte aligned.
  init(_ memory: inout AlignedStorage, _ count: Int, threads: Int) {
    let line = 64 / MemoryLayout<T>.stride
    step = (count + line - 1) / line * line
    base = memory.reserve(threads * step)
  }

  /// The memory of a thread.
  subscript(worker: Int) -> UnsafeMutablePointer<T> { base + worker * step }
}

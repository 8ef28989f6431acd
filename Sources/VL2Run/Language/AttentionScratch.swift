import SIMDKernels

/// Memory that the attention of all layers shares, since one layer works at a time.
package final class AttentionScratch {
  var queries = AlignedStorage()
  var keys = AlignedStorage()
  var values = AlignedStorage()
  var attended = AlignedStorage()
  /// Rows of latents: those of new positions, then those of all positions or what the heads computed from them.
  var newLatents = AlignedStorage()
  var latents = AlignedStorage()
  /// Scratch of the attention kernels, for all threads.
  var scores = AlignedStorage()
  /// Products of latents with each head's values.
  var products = PlainList<Product>()
  var index = PlainList<UInt32>()
  private let threads: Int

  package init(threads: Int) { self.threads = threads }

  /// Floats that a kernel needs for `keys` keys, rounded up so that the number changes rarely as a context
  /// grows.
  static func floats(keys: Int) -> Int { vl2_attention_scratch(roundedUp(keys)) }

  /// The same in bytes, for int8 keys.
  static func bytes(int8Keys keys: Int, size: Int) -> Int { vl2_attention_i8_scratch(roundedUp(keys), size) }

  private static func roundedUp(_ keys: Int) -> Int { (keys + 255) / 256 * 256 }

  /// Scratch of `count` elements for each thread's kernel.
  func reserveScores<T: BitwiseCopyable>(_ count: Int, of type: T.Type = T.self) -> ThreadSlices<T> {
    ThreadSlices(&scores, count, threads: threads)
  }

  /// Bytes that are allocated, without those of `scores`.
  package var byteCount: Int {
    queries.byteCount + keys.byteCount + values.byteCount + attended.byteCount + newLatents.byteCount
      + latents.byteCount
  }

  /// Frees the scratch that long prompts needed.
  package func release() {
    products.release()
    index.release()
    queries.release()
    keys.release()
    values.release()
    attended.release()
    newLatents.release()
    latents.release()
    scores.release()
  }
}

import SIMDKernels

/// Memory that the attention of all layers shares, since one layer works at a time.
package final class AttentionScratch {
  var queries = AlignedStorage()
  var keys = AlignedStorage()
  var values = AlignedStorage()
  var attended = AlignedStorage()
  /// Rows of latents: those of new positions, of all positions, or of what heads made of them.
  var newLatents = AlignedStorage()
  var latents = AlignedStorage()
  /// For all threads, what attention kernels work in.
  var scores = AlignedStorage()
  /// Products of latents with each head's values.
  var products = PlainList<Product>()
  var index = PlainList<UInt32>()
  private let threads: Int

  package init(threads: Int) { self.threads = threads }

  /// Floats that a kernel works in for `keys` keys or some more: what a growing context asks for changes rarely.
  static func floats(keys: Int) -> Int { vl2_attention_scratch(roundedUp(keys)) }

  /// The same, bytes, where keys are int8.
  static func bytes(int8Keys keys: Int, size: Int) -> Int { vl2_attention_i8_scratch(roundedUp(keys), size) }

  private static func roundedUp(_ keys: Int) -> Int { (keys + 255) / 256 * 256 }

  /// Memory for a kernel that works in `count` elements, for each thread.
  func reserveScores<T: BitwiseCopyable>(_ count: Int, of type: T.Type = T.self) -> ThreadSlices<T> {
    ThreadSlices(&scores, count, threads: threads)
  }

  /// Bytes that are taken, those of scores aside.
  package var byteCount: Int {
    queries.byteCount + keys.byteCount + values.byteCount + attended.byteCount + newLatents.byteCount
      + latents.byteCount
  }

  /// Gives back what long prompts left behind.
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

/// Memory that the attention of all layers shares, since one layer works at a time.
package final class AttentionScratch {
  let queries = AlignedBuffer()
  let keys = AlignedBuffer()
  let values = AlignedBuffer()
  let attended = AlignedBuffer()
  /// Rows of latents: those of new positions, of all positions, or of what heads made of them.
  let newLatents = AlignedBuffer()
  let latents = AlignedBuffer()
  /// One for each thread.
  let scores: [AlignedBuffer]

  package init(threads: Int) { scores = (0..<threads).map { _ in AlignedBuffer() } }

  /// Bytes that are taken, those of scores aside.
  package var byteCount: Int {
    [queries, keys, values, attended, newLatents, latents].reduce(0) { $0 + $1.byteCount }
  }

  /// Gives back what long prompts left behind.
  package func release() {
    for buffer in [queries, keys, values, attended, newLatents, latents] + scores { buffer.release() }
  }
}

/// What a row is to the decoder.
///
/// Latent attention computes the two in different ways, whose results differ in their last bits. What a row is
/// decides, never how many rows come together nor when: an answer's rows are written ones also where a conversation
/// is read again. So a row has the same bits in any chunking, and whether it was kept or not.
package enum RowKind: Sendable, BitwiseCopyable {
  /// What the model is told: prompts.
  case prompt
  /// What it answers: tokens that come one after the other.
  case answer
}

/// Causal self-attention of one decoder layer, with its projections.
///
/// The decoder knows nothing of heads or of what a position leaves in the cache; multi-head and latent
/// attention differ behind this interface alone.
package protocol Attention {
  /// Bytes that one layer keeps for `capacity` positions.
  func cacheBytes(capacity: Int) -> Int

  /// Attends for rows at positions `start`..<`start + x.count`, which see all earlier positions and themselves.
  ///
  /// - Parameters:
  ///   - x: normalised rows, [count][hidden].
  ///   - kind: what the rows are.
  ///   - cache: this layer's memory for `capacity` positions, 64-byte aligned; positions below `start` are filled,
  ///     those of `x` are written.
  ///   - out: [count][hidden], written.
  func attend(
    _ x: Rows, start: Int, kind: RowKind, cache: UnsafeMutableRawPointer, capacity: Int, into out: Rows)
}

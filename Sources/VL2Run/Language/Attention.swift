/// Whether a row belongs to a prompt or to an answer.
///
/// Latent attention computes the two in different ways, and the results differ in their last bits. Only the
/// kind of a row decides which way is used, never how many rows come together or when. An answer's rows count
/// as answer rows even where a conversation is computed again. So a row has the same bits in any chunking,
/// and whether it was cached or not.
package enum RowKind: Sendable, BitwiseCopyable {
  /// What the model is told: prompts.
  case prompt
  /// What it answers: tokens that come one after the other.
  case answer
}

/// Causal self-attention of one decoder layer, with its projections.
///
/// The decoder does not know about heads or about what the cache keeps for a position; the differences
/// between multi-head and latent attention are hidden behind this interface.
package protocol Attention {
  /// Bytes that one layer keeps for `capacity` positions.
  func cacheBytes(capacity: Int) -> Int

  /// Copies what one layer keeps of the first `positions` positions.
  ///
  /// - Parameters:
  ///   - cache: this layer's memory for `capacity` positions.
  ///   - copy: the same layer's memory of another cache, for `copyCapacity` positions.
  func copy(
    positions: Int, of cache: UnsafeRawPointer, capacity: Int, to copy: UnsafeMutableRawPointer,
    copyCapacity: Int)

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

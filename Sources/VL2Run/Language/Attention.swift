/// Causal self-attention of one decoder layer, with its projections.
///
/// The decoder knows nothing of heads or of what a position leaves in the cache; multi-head and latent
/// attention differ behind this interface alone.
package protocol Attention {
  /// Floats that one layer keeps for `capacity` positions.
  func cacheFloats(capacity: Int) -> Int

  /// Attends for rows at positions `start`..<`start + x.count`, which see all earlier positions and themselves.
  ///
  /// - Parameters:
  ///   - x: normalised rows, [count][hidden].
  ///   - cache: this layer's memory for `capacity` positions; positions below `start` are filled, those of `x`
  ///     are written.
  ///   - out: [count][hidden], written.
  func attend(
    _ x: Rows, start: Int, cache: UnsafeMutablePointer<Float>, capacity: Int, into out: Rows)
}

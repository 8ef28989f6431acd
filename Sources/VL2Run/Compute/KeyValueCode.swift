import SIMDKernels

/// How multi-head attention keeps keys and values between tokens. Latent attention keeps its latents in float32.
public enum KeyValueCode: String, Sendable, CaseIterable {
  /// int8 with a scale for each key and each value of a head: a quarter of the memory, read by integer products.
  case int8
  case float32 = "f32"

  /// Bytes of the keys and values of one head.
  package func bytes(positions: Int, headSize: Int) -> Int {
    switch self {
    case .int8: (positions + 31) / 32 * vl2_key_value_block_bytes(headSize, headSize)
    case .float32: headSize * ((positions + 15) / 16 * 16 + positions) * MemoryLayout<Float>.stride
    }
  }
}

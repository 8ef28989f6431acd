import SIMDKernels

/// How the weights of a matrix are stored. See `docs/FORMAT.md` for every byte.
public enum WeightCode: String, Sendable, Codable, CaseIterable {
  /// float32 in blocks of 16 rows.
  case f32
  /// bfloat16 in blocks of 16 rows.
  case bf16
  /// int8 in groups of 32 with a scale each: about 8.3 bits a weight.
  case int8
  /// 4-bit codebook indices in groups of 16 with a 6-bit scale each: about 4.4 bits a weight.
  case q4
  /// Plain row-major float32: vectors, norms, position embeddings. No kernel multiplies by it.
  case plain

  /// The number by which SIMDKernels knows the code; nil for `plain`.
  public var kernelCode: UInt32? {
    switch self {
    case .f32: UInt32(VL2_CODE_F32)
    case .bf16: UInt32(VL2_CODE_BF16)
    case .int8: UInt32(VL2_CODE_I8)
    case .q4: UInt32(VL2_CODE_Q4)
    case .plain: nil
    }
  }
}

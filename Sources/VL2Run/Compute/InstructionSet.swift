import SIMDKernels

/// The kernels that this process uses, chosen before it began.
public enum InstructionSet {
  /// "portable", "avx2", "avx512vnni", "neon" or "dotprod".
  public static var active: String { String(cString: vl2_kernels_active().pointee.name) }

  /// The value of the environment variable `VL2_ISA` where this processor cannot run what it names.
  public static var refused: String? { vl2_kernels_refused().map { String(cString: $0) } }
}

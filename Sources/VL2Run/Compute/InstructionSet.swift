import SIMDKernels

/// The kernels that this process uses, chosen before `main` begins.
package enum InstructionSet {
  /// "portable", "avx2", "avx512vnni", "neon", "dotprod" or "i8mm".
  package static var active: String { String(cString: vl2_kernels_active().pointee.name) }

  /// All that this processor can run, "portable" first and the fastest last.
  package static var available: [String] {
    var names: [String] = []
    while let table = vl2_kernels_at(names.count) { names.append(String(cString: table.pointee.name)) }
    return names
  }

  /// The value of the environment variable `VL2_ISA` where this processor cannot run what it names.
  package static var refused: String? { vl2_kernels_refused().map { String(cString: $0) } }
}

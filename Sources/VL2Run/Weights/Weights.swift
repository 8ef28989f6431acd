import SIMDKernels
import VL2Quant

/// The weights that are not routed experts: where they lie, and when they may be read.
///
/// Addresses are fixed when a model is opened; what lies there is right between `use` and `giveBack` of its
/// section.
package final class Weights {
  package let file: PackedFile
  package var config: ModelConfig { file.config }
  private let checks: Bool

  /// - Parameter checks: whether a section's checksum is looked at when it is first used.
  package init(_ file: PackedFile, checks: Bool = true) {
    self.file = file
    self.checks = checks
  }

  /// A packed matrix [rows, columns].
  ///
  /// - Throws: `PackedFileError` where there is none of that shape.
  package func matrix(_ name: String, rows: Int, columns: Int) throws -> vl2_matrix {
    try file.matrix(name, rows: rows, columns: columns)
  }

  /// A plain float32 tensor of `count` elements.
  ///
  /// - Throws: `PackedFileError` where there is none of that many elements.
  package func plain(_ name: String, count: Int) throws -> UnsafeBufferPointer<Float> {
    try file.plain(name, count: count)
  }

  /// Whether kernels multiply all matrices of all routed experts by int8 rows.
  package var expertsTakeInt8: Bool {
    file.manifest.sections.allSatisfy { section in
      !section.name.contains(".expert.") || section.tensors.allSatisfy { $0.code == .q4 || $0.code == .int8 }
    }
  }

  /// Makes a section's bytes right.
  ///
  /// - Throws: `PackedFileError` for a section that cannot be read or is damaged.
  package func use(_ section: String) throws {
    guard checks, let number = file.section(section) else { return }
    try file.checkOnce(number)
  }
}

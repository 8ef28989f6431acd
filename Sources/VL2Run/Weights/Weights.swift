import SIMDKernels
import VL2Quant

/// The weights that are not routed experts: where they lie, and when they may be read.
///
/// They are either used in the memory-mapped file, or they are resident: read into anonymous memory, a
/// section at a time, and the embedding a row at a time. Addresses are fixed when a model is opened. The
/// bytes there are valid only between `use` of their section and `release`.
package final class Weights {
  package let file: PackedFile
  package var config: ModelConfig { file.config }
  private let checks: Bool
  private let resident: ResidentSections?

  /// Weights in the mapped file.
  ///
  /// - Parameter checks: whether a section's checksum is verified when the section is first used.
  package init(_ file: PackedFile, checks: Bool = true) {
    self.file = file
    self.checks = checks
    resident = nil
  }

  /// Weights resident in memory.
  ///
  /// - Throws: `MemoryError` where the system refuses the address space.
  package init(_ file: PackedFile, checks: Bool, reading queue: ReadQueue) throws {
    self.file = file
    self.checks = checks
    resident = try ResidentSections(file, checks: checks, queue: queue)
  }

  /// A packed matrix [rows, columns].
  ///
  /// - Throws: `PackedFileError` where there is none of that shape.
  package func matrix(_ name: String, rows: Int, columns: Int) throws -> vl2_matrix {
    guard let resident else { return try file.matrix(name, rows: rows, columns: columns) }
    return try file.matrix(name, rows: rows, columns: columns) { resident.address($0) }
  }

  /// A plain float32 tensor of `count` elements.
  ///
  /// - Throws: `PackedFileError` where there is none of that many elements.
  package func plain(_ name: String, count: Int) throws -> UnsafeBufferPointer<Float> {
    guard let resident else { return try file.plain(name, count: count) }
    return try file.plain(name, count: count) { resident.address($0) }
  }

  /// Whether kernels multiply all matrices of all routed experts by int8 rows.
  package var expertsTakeInt8: Bool {
    file.manifest.sections.allSatisfy { section in
      !section.name.contains(".expert.") || section.tensors.allSatisfy { $0.code == .q4 || $0.code == .int8 }
    }
  }

  /// Whether kernels multiply all matrices of the decoder by int8 rows; routers take floats as they are.
  package var decoderTakesInt8: Bool {
    file.manifest.sections.allSatisfy { section in
      !(section.name.hasPrefix("layer.") || section.name == "head")
        || section.tensors.allSatisfy { $0.code != .bf16 }
    }
  }

  /// Makes a section ready to be used: a resident one is read, and its checksum is verified where that is asked for.
  ///
  /// - Parameter next: a section that will be used after it; where sections are resident, reading it begins.
  /// - Throws: `PackedFileError` for a section that cannot be read or is damaged.
  package func use(_ section: String, next: String? = nil) throws {
    try use(number: file.section(section), next: next.flatMap(file.section))
  }

  /// The same with the numbers of sections (`PackedFile.section`); nil for a section that the file lacks.
  package func use(number section: Int?, next: Int?) throws {
    guard let section else { return }
    if let resident {
      try resident.use(section)
      if let next { resident.prefetch(next) }
    } else if checks {
      try file.checkOnce(section)
    }
  }

  /// Releases a section of the tower, which is not needed before the next picture, unless the tower stays in memory.
  package func release(_ section: String) {
    if let resident, !resident.keepsTower, let number = file.section(section) { resident.release(number) }
  }

  /// Decodes one row of the embedding, [hidden].
  ///
  /// - Throws: `PackedFileError` where it cannot be read.
  package func embed(_ row: Int, of matrix: vl2_matrix, into out: UnsafeMutablePointer<Float>) throws {
    if let resident {
      try resident.embed(row, of: matrix, into: out)
    } else {
      try use("embedding")
      withUnsafePointer(to: matrix) { vl2_decode_row($0, row, out) }
    }
  }

  /// Forgets everything that was read, because the file is mapped again.
  package func invalidate() { resident?.invalidate() }

  /// Bytes of the resident sections.
  package var residentBytes: Int { resident?.bytes ?? 0 }

  /// Whether the tower stays in memory between pictures.
  package var keepsTower: Bool {
    get { resident?.keepsTower ?? true }
    set { resident?.keepsTower = newValue }
  }
}

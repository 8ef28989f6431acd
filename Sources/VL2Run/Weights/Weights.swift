import SIMDKernels
import VL2Quant

/// The weights that are not routed experts: where they lie, and when they may be read.
///
/// Either they are used in the mapped file, or they are resident: read into memory of our own, a section at a time, the
/// embedding a row at a time. Addresses are fixed when a model is opened; what lies there is right between `use` of
/// its section and `release`.
package final class Weights {
  package let file: PackedFile
  package var config: ModelConfig { file.config }
  private let checks: Bool
  private let resident: ResidentSections?

  /// Weights in the mapped file.
  ///
  /// - Parameter checks: whether a section's checksum is looked at when it is first used.
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

  /// Makes a section's bytes right.
  ///
  /// - Parameter next: a section that will be used after it; where sections are resident, reading it begins.
  /// - Throws: `PackedFileError` for a section that cannot be read or is damaged.
  package func use(_ section: String, next: String? = nil) throws {
    try use(number: file.section(section), next: next.flatMap(file.section))
  }

  /// The same by the numbers of sections (`PackedFile.section`); nil for one that the file lacks.
  package func use(number section: Int?, next: Int?) throws {
    guard let section else { return }
    if let resident {
      try resident.use(section)
      if let next { resident.prefetch(next) }
    } else if checks {
      try file.checkOnce(section)
    }
  }

  /// Tells that a section of the tower will not be needed before the next picture.
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

  /// Forgets everything that was read: the file was mapped anew.
  package func invalidate() { resident?.invalidate() }

  /// Bytes of sections in memory of our own.
  package var residentBytes: Int { resident?.bytes ?? 0 }

  /// Whether the tower stays in memory between pictures.
  package var keepsTower: Bool {
    get { resident?.keepsTower ?? true }
    set { resident?.keepsTower = newValue }
  }
}

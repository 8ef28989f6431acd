import CZstd
import Glibc
import SIMDKernels
import SystemSupport
import VL2Base

/// A packed model, mapped into memory.
///
/// Opening checks head and manifest completely and reads no weights. A section is read when it is used. All methods
/// may be called from several threads; only `refresh` demands that nobody is reading bytes of the file meanwhile.
public final class PackedFile: @unchecked Sendable {
  public static var formatVersion: Int { FileHead.version }

  public let path: String
  public let manifest: Manifest
  public let config: ModelConfig

  private struct Place {
    var section: Int
    var tensor: Int
  }

  let mapped: MappedFile
  private var mapping: UnsafeRawBufferPointer { mapped.bytes }
  /// Where the manifest begins; all sections end before it.
  let manifestOffset: Int
  private let manifestLength: Int
  private let sectionIndex: [String: Int]
  private let places: [String: Place]
  private let lock = Condition()
  /// Raw bytes of the zstd sections used so far.
  private var unpacked: [Int: UnsafeRawBufferPointer] = [:]
  /// The head as it was opened. It holds the checksum of the manifest, which tells this model from another.
  private let headBytes: [UInt8]
  private var checkDuration = Duration.zero
  /// For each section, whether its checksum was found right.
  private var checked: [Bool]

  /// Opens a packed file.
  ///
  /// - Throws: `PackedFileError` for a file that is missing, of another version or cut short, or that says
  ///   anything in its manifest that does not follow from its config; `FileError` for a config that is not
  ///   DeepSeek-VL2's.
  public init(path: String) throws {
    self.path = path
    mapped = try MappedFile(path: path)
    let head = try FileHead(mapped.bytes, path: path)
    manifest = try Self.readManifest(mapped.bytes, head, path: path)
    config = try Self.readConfig(manifest, path: path)
    manifestOffset = head.manifestOffset
    manifestLength = head.manifestLength
    headBytes = [UInt8](mapped.bytes.prefix(FileHead.length))
    let check = ManifestCheck(path: path, manifest: manifest, sectionsEnd: manifestOffset)
    try check.run(ModelLayout(config))
    checked = .init(repeating: false, count: manifest.sections.count)
    // The check has made sure that all names are unique.
    var sectionIndex: [String: Int] = [:]
    var places: [String: Place] = [:]
    for (i, section) in manifest.sections.enumerated() {
      sectionIndex[section.name] = i
      for (j, tensor) in section.tensors.enumerated() { places[tensor.name] = Place(section: i, tensor: j) }
    }
    self.sectionIndex = sectionIndex
    self.places = places
  }

  deinit {
    for bytes in unpacked.values { free(UnsafeMutableRawPointer(mutating: bytes.baseAddress)) }
  }

  private static func readManifest(
    _ mapping: UnsafeRawBufferPointer, _ head: FileHead, path: String
  ) throws -> Manifest {
    let text = UnsafeRawBufferPointer(
      rebasing: mapping[head.manifestOffset..<head.manifestOffset + head.manifestLength])
    guard vl2_crc32c(0, text.baseAddress, text.count) == head.manifestChecksum else {
      throw PackedFileError.invalid(
        path: path, field: "manifest", problem: "has another checksum than its own")
    }
    do {
      return try Manifest(text: [UInt8](text))
    } catch let failure as ManifestFailure {
      throw PackedFileError.invalid(path: path, field: "manifest", problem: failure.problem)
    }
  }

  private static func readConfig(_ manifest: Manifest, path: String) throws -> ModelConfig {
    do {
      return try ModelConfig(configFiles: manifest.configFiles)
    } catch var error as FileError {
      error.path = "\(path): \(error.path)"
      throw error
    }
  }

  // MARK: sections

  /// Raw bytes of a section: mapped in place, or unpacked on first use and then kept.
  ///
  /// - Returns: memory that lives as long as the file.
  /// - Throws: `PackedFileError` for an unknown name or a damaged frame.
  public func sectionBytes(_ name: String) throws -> UnsafeRawBufferPointer {
    guard let index = sectionIndex[name] else {
      throw PackedFileError.invalid(path: path, field: "section \(name)", problem: "is missing")
    }
    return try sectionBytes(index)
  }

  private func sectionBytes(_ index: Int) throws -> UnsafeRawBufferPointer {
    let entry = manifest.sections[index]
    if entry.encoding == .raw { return storedBytes(entry) }
    lock.lock()
    defer { lock.unlock() }
    if let bytes = unpacked[index] { return bytes }
    let bytes = UnsafeRawBufferPointer(try unpack(entry))
    unpacked[index] = bytes
    return bytes
  }

  private func storedBytes(_ entry: SectionEntry) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: mapping[entry.offset..<entry.offset + entry.storedLength])
  }

  /// Bytes of the file as they are stored.
  func fileBytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: mapping[range])
  }

  /// Unpacks a zstd section into new memory, which the caller must free().
  private func unpack(_ entry: SectionEntry) throws -> UnsafeMutableRawBufferPointer {
    let stored = storedBytes(entry)
    guard vl2_crc32c(0, stored.baseAddress, stored.count) == entry.crc32c else {
      throw PackedFileError.damagedSection(path: path, section: entry.name)
    }
    // Not Swift's allocation, which would end the program if there is not enough memory.
    var memory: UnsafeMutableRawPointer?
    let refusal = posix_memalign(&memory, 64, entry.rawLength)
    guard refusal == 0, let memory else {
      throw PackedFileError.system(
        path: path, operation: "have section \(entry.name) unpacked",
        reason: SystemReason.reading(refusal))
    }
    let bytes = UnsafeMutableRawBufferPointer(start: memory, count: entry.rawLength)
    do {
      try unpack(stored, of: entry, into: bytes)
    } catch {
      free(memory)
      throw error
    }
    return bytes
  }

  /// Unpacks a zstd section.
  ///
  /// - Parameters:
  ///   - stored: its stored bytes.
  ///   - bytes: `rawLength` bytes, which are filled.
  /// - Throws: `PackedFileError.damagedSection` for a damaged frame or one of another length.
  package func unpack(
    _ stored: UnsafeRawBufferPointer, of entry: SectionEntry, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    guard ZSTD_getFrameContentSize(stored.baseAddress, stored.count) == UInt64(entry.rawLength),
      ZSTD_findFrameCompressedSize(stored.baseAddress, stored.count) == stored.count,
      ZSTD_decompress(bytes.baseAddress, bytes.count, stored.baseAddress, stored.count) == entry.rawLength
    else { throw PackedFileError.damagedSection(path: path, section: entry.name) }
  }

  /// The SHA-256 of the manifest, which holds those of all sections: the same for two files of the same weights that were packed
  /// in the same way from the same files.
  package var manifestHash: String {
    sha256Hexadecimal(fileBytes(manifestOffset..<manifestOffset + manifestLength))
  }

  /// Calls `body` with the raw bytes of a section. If they had to be unpacked, they are not kept.
  public func withSectionBytes<T>(
    _ name: String, _ body: (UnsafeRawBufferPointer) throws -> T
  ) throws -> T {
    guard let index = sectionIndex[name] else {
      throw PackedFileError.invalid(path: path, field: "section \(name)", problem: "is missing")
    }
    let entry = manifest.sections[index]
    if entry.encoding == .raw { return try body(storedBytes(entry)) }
    let bytes = try unpack(entry)
    defer { free(bytes.baseAddress) }
    return try body(UnsafeRawBufferPointer(bytes))
  }

  // MARK: tensors

  /// Whether the file has a tensor of that name.
  public func contains(_ tensor: String) -> Bool { places[tensor] != nil }

  /// A packed matrix.
  ///
  /// - Returns: what a kernel reads; valid as long as the file is.
  /// - Throws: `PackedFileError` if there is none of that name and shape.
  public func matrix(_ name: String, rows: Int, columns: Int) throws -> vl2_matrix {
    try matrix(name, rows: rows, columns: columns) { try sectionBytes($0).baseAddress! }
  }

  /// The same, for a section with raw bytes that lie, or will lie, at an address that the caller gives.
  package func matrix(
    _ name: String, rows: Int, columns: Int, at address: (_ section: Int) throws -> UnsafeRawPointer
  ) throws -> vl2_matrix {
    guard let place = places[name] else { throw PackedFileError.shape(path: path, tensor: name) }
    let tensor = manifest.sections[place.section].tensors[place.tensor]
    guard let code = tensor.code.kernelCode, tensor.shape.first == rows,
      tensor.shape.dropFirst().reduce(1, *) == columns
    else { throw PackedFileError.shape(path: path, tensor: name) }
    return vl2_matrix(
      blocks: try address(place.section).assumingMemoryBound(to: UInt8.self) + tensor.offset,
      block_step: tensor.blockStep, code: code, rows: UInt32(rows), columns: UInt32(columns))
  }

  /// A plain float32 tensor, row-major.
  ///
  /// - Returns: memory that lives as long as the file.
  /// - Throws: `PackedFileError` if there is none of that name and number of elements.
  public func plain(_ name: String, count: Int) throws -> UnsafeBufferPointer<Float> {
    try plain(name, count: count) { try sectionBytes($0).baseAddress! }
  }

  /// The same, for a section with raw bytes that lie, or will lie, at an address that the caller gives.
  package func plain(
    _ name: String, count: Int, at address: (_ section: Int) throws -> UnsafeRawPointer
  ) throws -> UnsafeBufferPointer<Float> {
    guard let place = places[name] else { throw PackedFileError.shape(path: path, tensor: name) }
    let tensor = manifest.sections[place.section].tensors[place.tensor]
    guard tensor.code == .plain, tensor.shape.reduce(1, *) == count else {
      throw PackedFileError.shape(path: path, tensor: name)
    }
    return UnsafeBufferPointer(
      start: (try address(place.section) + tensor.offset).assumingMemoryBound(to: Float.self), count: count)
  }

  /// The index of a section in the manifest; nil for an unknown name.
  package func section(_ name: String) -> Int? { sectionIndex[name] }

  // MARK: a file that changes underneath

  /// From now on a page that cannot be read (the file was cut short, its card pulled out) counts as zeros,
  /// and `checkUnchanged` reports it. Otherwise it would end the program by SIGBUS.
  ///
  /// - Throws: `PackedFileError.system` where thousands of files are open.
  package func surviveFaults() throws {
    if mapped.surviveFaults() { return }
    throw PackedFileError.system(
      path: path, operation: "be read safely",
      reason: SystemReason("too many models are open in this program", "close some of them", kind: .busy))
  }

  /// Compares the file with what was opened. Cheap enough to do for each token.
  ///
  /// - Throws: `PackedFileError`; results computed from the file's bytes in the meantime may then be wrong.
  package func checkUnchanged() throws { try mapped.checkUnchanged() }

  /// Remembers that reading failed, so that `checkUnchanged` says so and `refresh` opens the file again.
  package func distrust() { mapped.distrust() }

  /// Grows each time the file is opened again.
  var generation: Int { mapped.generation }

  /// Maps the file again if it changed, provided that it is complete and the same. Sections are then checked
  /// again. Nobody may be reading bytes of the file meanwhile.
  ///
  /// - Returns: whether anything had changed.
  /// - Throws: `PackedFileError` if the file is missing, cut short, or another model's.
  @discardableResult
  package func refresh() throws -> Bool {
    let changed = try mapped.refresh { bytes in
      guard bytes.count >= FileHead.length, bytes.prefix(FileHead.length).elementsEqual(headBytes),
        let head = try? FileHead(bytes, path: path)
      else { return false }
      let text = UnsafeRawBufferPointer(
        rebasing: bytes[head.manifestOffset..<head.manifestOffset + head.manifestLength])
      return vl2_crc32c(0, text.baseAddress, text.count) == head.manifestChecksum
    }
    if changed { lock.withLock { checked = .init(repeating: false, count: checked.count) } }
    return changed
  }

  /// Checks a section's stored bytes against its checksum, the first time only.
  ///
  /// - Parameter stored: bytes that the caller has read; nil for the memory-mapped ones.
  /// - Throws: `PackedFileError.damagedSection`.
  package func checkOnce(_ section: Int, stored: UnsafeRawBufferPointer? = nil) throws {
    if isChecked(section) { return }
    let bytes = stored ?? storedBytes(manifest.sections[section])
    var checksum: UInt32 = 0
    countCheck(ContinuousClock().measure { checksum = vl2_crc32c(0, bytes.baseAddress, bytes.count) })
    try checkOnce(section, checksum: checksum)
  }

  /// Seconds that checksums took, over all threads.
  package var checkSeconds: Double { lock.withLock { checkDuration } / .seconds(1) }

  /// Adds time that the caller spent on a checksum.
  package func countCheck(_ duration: Duration) { lock.withLock { checkDuration += duration } }

  /// Whether a section's checksum was found right since the file was last mapped.
  package func isChecked(_ section: Int) -> Bool { lock.withLock { checked[section] } }

  /// The same, with the checksum of the stored bytes already computed by the caller.
  package func checkOnce(_ section: Int, checksum: UInt32) throws {
    let entry = manifest.sections[section]
    guard checksum == entry.crc32c else {
      // A file that was cut short is reported as such, not as damaged.
      try checkUnchanged()
      throw PackedFileError.damagedSection(path: path, section: entry.name)
    }
    lock.withLock { checked[section] = true }
  }

  // MARK: pages

  /// Tells the system that a section will be read soon.
  public func willNeed(section name: String) { advise(name, MADV_WILLNEED) }

  /// Tells the system that a section will not be read soon, so that it may drop the section's pages.
  public func discard(section name: String) { advise(name, MADV_DONTNEED) }

  private func advise(_ name: String, _ advice: Int32) {
    guard let index = sectionIndex[name] else { return }
    let entry = manifest.sections[index]
    madvise(
      UnsafeMutableRawPointer(mutating: mapping.baseAddress! + entry.offset), entry.storedLength, advice)
  }
}

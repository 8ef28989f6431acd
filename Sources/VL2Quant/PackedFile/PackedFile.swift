import CZstd
import Foundation
import SIMDKernels
import SystemSupport

/// A packed model, mapped into memory.
///
/// Opening checks head and manifest completely and reads no weights; sections are read when they are used. All
/// methods may be called from several threads.
public final class PackedFile: @unchecked Sendable {
  public static var formatVersion: Int { FileHead.version }

  public let path: String
  public let manifest: Manifest
  public let config: ModelConfig

  private struct Place {
    var section: Int
    var tensor: Int
  }

  private let mapping: UnsafeRawBufferPointer
  /// Where the manifest begins; sections end before.
  let manifestOffset: Int
  private let sectionIndex: [String: Int]
  private let places: [String: Place]
  private let lock = NSLock()
  /// Raw bytes of zstd sections that were used.
  private var unpacked: [Int: UnsafeRawBufferPointer] = [:]

  /// Opens a packed file.
  ///
  /// - Throws: `PackedFileError` for a file that is missing, of another version, cut short, or says anything in
  ///   its manifest that does not follow from its config; `ConfigError` for a config that is no DeepSeek-VL2's.
  public init(path: String) throws {
    self.path = path
    let mapping = try Self.map(path)
    self.mapping = mapping
    do {
      let head = try FileHead(mapping, path: path)
      manifest = try Self.readManifest(mapping, head, path: path)
      config = try Self.readConfig(manifest, path: path)
      manifestOffset = head.manifestOffset
      let check = ManifestCheck(path: path, manifest: manifest, sectionsEnd: manifestOffset)
      try check.run(ModelLayout(config))
    } catch {
      munmap(UnsafeMutableRawPointer(mutating: mapping.baseAddress!), mapping.count)
      throw error
    }
    // The check made all names unique.
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
    munmap(UnsafeMutableRawPointer(mutating: mapping.baseAddress!), mapping.count)
  }

  private static func map(_ path: String) throws -> UnsafeRawBufferPointer {
    func failure() -> PackedFileError {
      errno == ENOENT
        ? .missing(path: path)
        : .system(path: path, operation: "be read", reason: String(cString: strerror(errno)))
    }
    // Without waiting: opening a pipe would wait for somebody who writes.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure() }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure() }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size >= 8 else {
      throw PackedFileError.notPacked(path: path)
    }
    let length = Int(status.st_size)
    guard let base = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
      throw failure()
    }
    return UnsafeRawBufferPointer(start: base, count: length)
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
    } catch var error as ConfigError {
      error.file = "\(path): \(error.file)"
      throw error
    }
  }

  // MARK: sections

  /// Raw bytes of a section: mapped in place, or unpacked when first asked for and then kept.
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

  /// Bytes of the file as they are.
  func fileBytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: mapping[range])
  }

  /// Unpacks a zstd section into new memory, which the caller gives to free().
  private func unpack(_ entry: SectionEntry) throws -> UnsafeMutableRawBufferPointer {
    let stored = storedBytes(entry)
    guard vl2_crc32c(0, stored.baseAddress, stored.count) == entry.crc32c else {
      throw PackedFileError.damagedSection(path: path, section: entry.name)
    }
    guard ZSTD_getFrameContentSize(stored.baseAddress, stored.count) == UInt64(entry.rawLength),
      ZSTD_findFrameCompressedSize(stored.baseAddress, stored.count) == stored.count
    else { throw PackedFileError.damagedSection(path: path, section: entry.name) }
    // Not Swift's allocation, which ends the program where there is not that much memory.
    var memory: UnsafeMutableRawPointer?
    let refusal = posix_memalign(&memory, 64, entry.rawLength)
    guard refusal == 0, let memory else {
      throw PackedFileError.system(
        path: path, operation: "have section \(entry.name) unpacked",
        reason: String(cString: strerror(refusal)))
    }
    let length = ZSTD_decompress(memory, entry.rawLength, stored.baseAddress, stored.count)
    guard ZSTD_isError(length) == 0, length == entry.rawLength else {
      free(memory)
      throw PackedFileError.damagedSection(path: path, section: entry.name)
    }
    return UnsafeMutableRawBufferPointer(start: memory, count: entry.rawLength)
  }

  /// Calls `body` with the raw bytes of a section without keeping what had to be unpacked.
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
  /// - Throws: `PackedFileError` where there is none of that shape.
  public func matrix(_ name: String, rows: Int, columns: Int) throws -> vl2_matrix {
    guard let place = places[name] else { throw PackedFileError.shape(path: path, tensor: name) }
    let tensor = manifest.sections[place.section].tensors[place.tensor]
    guard let code = tensor.code.kernelCode, tensor.shape.first == rows,
      tensor.shape.dropFirst().reduce(1, *) == columns
    else { throw PackedFileError.shape(path: path, tensor: name) }
    let bytes = try sectionBytes(place.section)
    return vl2_matrix(
      blocks: bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + tensor.offset,
      block_step: tensor.blockStep, code: code, rows: UInt32(rows), columns: UInt32(columns))
  }

  /// A plain float32 tensor, row-major.
  ///
  /// - Returns: memory that lives as long as the file.
  /// - Throws: `PackedFileError` where there is none of that many elements.
  public func plain(_ name: String, count: Int) throws -> UnsafeBufferPointer<Float> {
    guard let place = places[name] else { throw PackedFileError.shape(path: path, tensor: name) }
    let tensor = manifest.sections[place.section].tensors[place.tensor]
    guard tensor.code == .plain, tensor.shape.reduce(1, *) == count else {
      throw PackedFileError.shape(path: path, tensor: name)
    }
    let bytes = try sectionBytes(place.section)
    return UnsafeBufferPointer(
      start: (bytes.baseAddress! + tensor.offset).assumingMemoryBound(to: Float.self), count: count)
  }

  // MARK: pages

  /// Tells the system that a section will be read soon.
  public func willNeed(section name: String) { advise(name, MADV_WILLNEED) }

  /// Tells the system that a section will not be read soon; its pages may go.
  public func discard(section name: String) { advise(name, MADV_DONTNEED) }

  private func advise(_ name: String, _ advice: Int32) {
    guard let index = sectionIndex[name] else { return }
    let entry = manifest.sections[index]
    madvise(
      UnsafeMutableRawPointer(mutating: mapping.baseAddress! + entry.offset), entry.storedLength, advice)
  }
}

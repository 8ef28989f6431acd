import Foundation
import SIMDKernels
import SystemSupport

/// A packed model, mapped into memory.
///
/// Opening checks head and manifest completely and reads no weights: sections are read when they are used. A zstd
/// section is checked when it is unpacked, a raw one by `verify` alone. All methods may be called from several
/// threads.
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
  private let sectionIndex: [String: Int]
  private let places: [String: Place]
  private let lock = NSLock()
  /// Raw bytes of zstd sections that were used.
  private var unpacked: [Int: UnpackedSection] = [:]

  /// Opens a packed file.
  ///
  /// - Throws: `PackedFileError` for a file that is missing, of another version, cut short, with a config that is
  ///   no DeepSeek-VL2's, or with anything in its manifest that does not follow from the config.
  public init(path: String) throws {
    self.path = path
    let descriptor = try Self.descriptor(path)
    defer { close(descriptor) }
    let length = try Self.length(of: descriptor, path: path)
    let first = try Self.read(descriptor, at: 0, count: min(length, FileHead.length), path: path)
    let head = try first.withUnsafeBytes { try FileHead($0, length: length, path: path) }
    manifest = try Self.readManifest(descriptor, head, path: path)
    do {
      config = try ModelConfig(configFiles: manifest.configFiles)
    } catch let error as ConfigError {
      throw PackedFileError.invalid(path: path, field: "the config's \(error.file)", problem: error.problem)
    }
    try ManifestCheck(path: path, manifest: manifest, end: head.manifestOffset).run(ModelLayout(config))
    guard let base = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
      throw Self.unreadable(path)
    }
    mapping = UnsafeRawBufferPointer(start: base, count: length)
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
    munmap(UnsafeMutableRawPointer(mutating: mapping.baseAddress!), mapping.count)
  }

  private static func unreadable(_ path: String) -> PackedFileError {
    errno == ENOENT
      ? .missing(path: path)
      : .system(path: path, operation: "be read", reason: String(cString: strerror(errno)))
  }

  private static func descriptor(_ path: String) throws -> Int32 {
    // A named pipe must not keep anybody waiting for its other end.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw unreadable(path) }
    return descriptor
  }

  private static func length(of descriptor: Int32, path: String) throws -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw unreadable(path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw PackedFileError.notPacked(path: path) }
    return Int(status.st_size)
  }

  /// Reads instead of looking at the mapping, where a file that is cut short meanwhile would end the process.
  private static func read(_ descriptor: Int32, at offset: Int, count: Int, path: String) throws -> [UInt8] {
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
      done = 0
      while done < count {
        let got = pread(descriptor, buffer.baseAddress! + done, count - done, off_t(offset + done))
        if got < 0, errno == EINTR { continue }
        guard got >= 0 else { throw unreadable(path) }
        if got == 0 { break }
        done += got
      }
    }
    guard bytes.count == count else {
      throw PackedFileError.length(path: path, actual: offset + bytes.count, expected: offset + count)
    }
    return bytes
  }

  private static func readManifest(_ descriptor: Int32, _ head: FileHead, path: String) throws -> Manifest {
    let text = try read(descriptor, at: head.manifestOffset, count: head.manifestLength, path: path)
    guard vl2_crc32c(0, text, text.count) == head.manifestChecksum else {
      throw PackedFileError.invalid(
        path: path, field: "the manifest", problem: "has another checksum than the head says")
    }
    do {
      return try Manifest(json: text)
    } catch let failure as Manifest.Failure {
      throw PackedFileError.invalid(
        path: path, field: failure.field.isEmpty ? "the manifest" : failure.field, problem: failure.problem)
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
    if let section = unpacked[index] { return section.bytes }
    let section = try unpack(entry)
    unpacked[index] = section
    return section.bytes
  }

  private func storedBytes(_ entry: SectionEntry) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: mapping[entry.offset..<entry.offset + entry.storedLength])
  }

  /// Bytes of the file as they are.
  func fileBytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: mapping[range])
  }

  private func unpack(_ entry: SectionEntry) throws -> UnpackedSection {
    let stored = storedBytes(entry)
    guard vl2_crc32c(0, stored.baseAddress, stored.count) == entry.crc32c else {
      throw PackedFileError.damagedSection(path: path, section: entry.name)
    }
    return try UnpackedSection(frame: stored, of: entry, path: path)
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
    let section = try unpack(entry)
    return try withExtendedLifetime(section) { try body(section.bytes) }
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

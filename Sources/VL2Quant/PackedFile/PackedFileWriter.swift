import Foundation
import SystemSupport

/// Writes a packed file beside its target and puts it in the target's place when it is complete. Until then, and
/// after any failure, the target is what it was.
public final class PackedFileWriter {
  private let path: String
  private let temporary: String
  private var descriptor: Int32
  private var position: Int
  private var entries: [SectionEntry] = []

  /// - Throws: `PackedFileError` where no file can be made beside `path`.
  public init(path: String) throws {
    self.path = path
    // Found out now rather than after an hour of packing.
    var status = stat()
    guard stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
      throw PackedFileError.system(path: path, operation: "be replaced", reason: "it is not a regular file")
    }
    temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).part"
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.failure(path, "be written") }
    position = FileHead.length
  }

  deinit {
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporary)
    }
  }

  /// Writes a section behind the last one.
  ///
  /// - Throws: `PackedFileError` where the system refuses, a full disk above all.
  public func append(_ section: PackedSection) throws {
    let offset = (position + FileHead.alignment - 1) / FileHead.alignment * FileHead.alignment
    try section.stored.withUnsafeBytes { try write($0, at: offset) }
    entries.append(
      SectionEntry(
        name: section.name, offset: offset, storedLength: section.stored.count, rawLength: section.rawLength,
        encoding: section.encoding, sha256: section.sha256, crc32c: section.crc32c, tensors: section.tensors))
    position = offset + section.stored.count
  }

  /// Writes manifest and head, makes them durable, and puts the file in the target's place.
  public func finish(
    origin: Manifest.Origin, recipe: [RecipeRule], configFiles: [String: String]
  ) throws {
    let manifest = Manifest(origin: origin, recipe: recipe, configFiles: configFiles, sections: entries)
    let text = manifest.encoded()
    guard text.count <= FileHead.largestManifest else {
      throw PackedFileError.invalid(
        path: path, field: "manifest", problem: "is longer than \(FileHead.largestManifest) bytes")
    }
    let offset = (position + 63) / 64 * 64
    try text.withUnsafeBytes { try write($0, at: offset) }
    let head = FileHead(
      manifestOffset: offset, manifestLength: text.count,
      manifestChecksum: vl2_crc32c(0, text, text.count))
    try head.encoded().withUnsafeBytes { try write($0, at: 0) }
    guard fsync(descriptor) == 0 else { throw Self.failure(path, "be written") }
    close(descriptor)
    descriptor = -1
    guard rename(temporary, path) == 0 else {
      let failure = Self.failure(path, "be replaced")
      unlink(temporary)
      throw failure
    }
    // The name is durable when the folder is.
    let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let count = pwrite(
        descriptor, bytes.baseAddress! + done, min(bytes.count - done, 1 << 26), off_t(offset + done))
      guard count > 0 else {
        if count < 0, errno == EINTR { continue }
        throw Self.failure(path, "be written")
      }
      done += count
    }
  }

  private static func failure(_ path: String, _ operation: String) -> PackedFileError {
    .system(path: path, operation: operation, reason: String(cString: strerror(errno)))
  }
}

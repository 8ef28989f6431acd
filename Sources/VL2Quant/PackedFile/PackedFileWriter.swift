import FoundationEssentials
import Glibc
import SystemSupport
import VL2Base

/// Writes a packed file beside its target, under the name TARGET.part, and moves it to the target's place
/// once it is complete. Until then, and after any failure, the target is unchanged. Only one writer of a
/// target works at a time.
public final class PackedFileWriter {
  private let path: String
  private let temporary: String
  private var descriptor: Int32
  private var position: Int
  /// The sections written so far, in the order in which they were written.
  private(set) var entries: [SectionEntry] = []
  /// Whether what was written stays under its temporary name if the writer ends before `finish`.
  var keepsUnfinished = false

  /// The name that a packed file has until it is complete.
  public static func unfinishedPath(of path: String) -> String { path + ".part" }

  /// - Throws: `PackedFileError` if no file can be made beside `path`, or if somebody else is writing it.
  public convenience init(path: String) throws { try self.init(path: path, continuing: false) }

  /// - Parameter continuing: whether to keep the bytes that an earlier writer left, for `adopt`.
  init(path: String, continuing: Bool) throws {
    self.path = path
    // Better found out now than after an hour of packing.
    var status = stat()
    guard stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
      throw PackedFileError.system(
        path: path, operation: "be replaced",
        reason: SystemReason("it is not a regular file", "give another path"))
    }
    temporary = Self.unfinishedPath(of: path)
    descriptor = try Self.openAlone(temporary, target: path)
    position = FileHead.length
    if !continuing { try cut() }
  }

  deinit {
    if descriptor >= 0 {
      if !keepsUnfinished { unlink(temporary) }
      close(descriptor)
    }
  }

  /// Opens the file for this process alone. It still holds what an earlier process left in it.
  private static func openAlone(_ path: String, target: String) throws -> Int32 {
    while true {
      // A symbolic link here must not lead the writing elsewhere.
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
      guard descriptor >= 0 else { throw failure(target, "be written") }
      var status = stat()
      guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        close(descriptor)
        throw PackedFileError.system(
          path: path, operation: "be written",
          reason: SystemReason("it is not a regular file", "delete it, or give another path"))
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        close(descriptor)
        throw PackedFileError.busy(path: target)
      }
      // The process that held the lock before may just have moved the file to its target's place.
      var named = stat()
      if lstat(path, &named) == 0, named.st_ino == status.st_ino, named.st_dev == status.st_dev {
        return descriptor
      }
      close(descriptor)
    }
  }

  /// Bytes that an earlier writer left; 0 for a fresh file.
  var unfinishedLength: Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Takes over a section that an earlier writer wrote, if its bytes are still there.
  ///
  /// - Parameter offset: where it has to be; nil for behind the last one.
  /// - Returns: false if they are not.
  func adopt(_ entry: SectionEntry, at offset: Int?) throws -> Bool {
    guard entry.offset == offset ?? nextOffset, entry.storedLength > 0,
      entry.storedLength <= unfinishedLength - entry.offset
    else { return false }
    var checksum: UInt32 = 0
    var piece = [UInt8](repeating: 0, count: min(entry.storedLength, 1 << 20))
    var done = 0
    while done < entry.storedLength {
      let wanted = min(piece.count, entry.storedLength - done)
      let count = pread(descriptor, &piece, wanted, off_t(entry.offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.failure(temporary, "be read") }
      checksum = vl2_crc32c(checksum, piece, count)
      done += count
    }
    guard checksum == entry.crc32c else { return false }
    note(entry)
    return true
  }

  /// Cuts off everything after the last section.
  func cut() throws {
    let end = entries.isEmpty ? 0 : position
    guard ftruncate(descriptor, off_t(end)) == 0 else { throw Self.failure(path, "be written") }
  }

  private var nextOffset: Int { Self.offset(after: position) }

  /// Where the next section begins after one that ends at `position`.
  static func offset(after position: Int) -> Int {
    (position + FileHead.alignment - 1) / FileHead.alignment * FileHead.alignment
  }

  private func note(_ entry: SectionEntry) {
    entries.append(entry)
    position = max(position, entry.offset + entry.storedLength)
  }

  /// Writes a section after the last one.
  ///
  /// - Throws: `PackedFileError` if the system refuses, most likely because the disk is full.
  public func append(_ section: PackedSection) throws { try append(section, at: nil) }

  /// - Parameter offset: where it has to be, a multiple of the alignment behind which nothing is written that would not
  ///   leave room for it; nil for behind the last one.
  func append(_ section: PackedSection, at offset: Int?) throws {
    let offset = offset ?? nextOffset
    try section.stored.withUnsafeBytes { bytes in
      try append(
        SectionEntry(
          name: section.name, offset: offset, storedLength: section.stored.count,
          rawLength: section.rawLength, encoding: section.encoding, sha256: section.sha256,
          crc32c: section.crc32c, tensors: section.tensors), bytes)
    }
  }

  /// Writes a section whose place is known.
  ///
  /// - Parameter bytes: as they are stored.
  /// - Throws: as `append`.
  func append(_ entry: SectionEntry, _ bytes: UnsafeRawBufferPointer) throws {
    try write(bytes, at: entry.offset)
    note(entry)
  }

  /// Writes manifest and head, flushes them to the disk, and moves the file to the target's place.
  public func finish(
    origin: Manifest.Origin, recipe: [RecipeRule], configFiles: [String: String]
  ) throws {
    let sections = entries.sorted { $0.offset < $1.offset }
    let manifest = Manifest(origin: origin, recipe: recipe, configFiles: configFiles, sections: sections)
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
    // Still under the lock: nobody else can take the file before it has its final name.
    let isRenamed = rename(temporary, path) == 0
    let failure = Self.failure(path, "be replaced")
    if !isRenamed, !keepsUnfinished { unlink(temporary) }
    close(descriptor)
    descriptor = -1
    guard isRenamed else { throw failure }
    // The new name is durable only once the folder is flushed.
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
    let reason = operation == "be read" ? SystemReason.reading(errno) : SystemReason.writing(errno)
    return .system(path: path, operation: operation, reason: reason)
  }
}

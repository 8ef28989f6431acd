import Glibc
import SystemSupport
import VL2Base

/// A record of what has been written of a packed file that is not complete yet. It is a file beside it: a
/// line for the job, then one for each section, and before it one that says how far the shard was read from which it
/// comes. A line is the CRC-32C of its JSON in eight hexadecimal digits, a space, the JSON.
///
/// Nothing is flushed to the disk while packing. After a power cut, lines or the bytes that they describe may
/// be missing. So a line counts only if its checksum and that of its section's bytes are right.
final class PackingJournal {
  private let path: String
  private let descriptor: Int32

  private static let longest = 64 << 20

  /// The path of a packed file's journal.
  static func path(of target: String) -> String { PackedFileWriter.unfinishedPath(of: target) + ".journal" }

  /// Whether a file that begins so can be a journal: eight hexadecimal digits, a space, an object. It may end at any place,
  /// or hold zeros, since power may be cut.
  static func isBegin(_ bytes: [UInt8]) -> Bool {
    let begin = bytes.prefix(10)
    return begin.allSatisfy { $0 == 0 }
      || begin.prefix(8).allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        && zip(begin.dropFirst(8), " {".utf8).allSatisfy { $0 == $1 }
  }

  /// What an earlier run left.
  struct Record {
    var job: PackingJob
    /// In the order in which they were written. One may come again, where it was found damaged and made anew.
    var sections: [SectionEntry] = []
    /// The shards that were read: how many bytes, and the hash of these.
    var reached: [SourceFile] = []
    /// Bytes up to the end of the last line that counts.
    fileprivate var end: Int

    /// nil if there is no journal, or no usable one.
    init?(target: String) throws {
      let bytes: [UInt8]
      do {
        let file = try InputFile(path: PackingJournal.path(of: target))
        guard file.length <= PackingJournal.longest else { return nil }
        bytes = try file.bytes(0..<file.length)
      } catch InputError.missing {
        return nil
      }
      // Whatever follows the last line feed is an incomplete line.
      let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
      guard let first = lines.first, let object = Self.object(first), let job = try? PackingJob(object) else {
        return nil
      }
      self.job = job
      end = first.endIndex + 1
      for line in lines.dropFirst() {
        guard let object = Self.object(line) else { break }
        if let section = try? SectionEntry(object) {
          sections.append(section)
        } else if let file = try? SourceFile(object) {
          reached.removeAll { $0.name == file.name }
          reached.append(file)
        } else {
          break
        }
        end = line.endIndex + 1
      }
    }

    /// The JSON of a line; nil unless its checksum is right.
    private static func object(_ line: ArraySlice<UInt8>) -> ManifestObject? {
      guard line.count > 9, let checksum = UInt32(String(decoding: line.prefix(8), as: UTF8.self), radix: 16)
      else {
        return nil
      }
      let json = Array(line.dropFirst(9))
      guard vl2_crc32c(0, json, json.count) == checksum,
        let value = try? JSONReader.read(json, writer: .program)
      else {
        return nil
      }
      return try? ManifestObject(value) { "" }
    }
  }

  /// Starts a journal, replacing an older one.
  ///
  /// - Throws: `PackedFileError.system`.
  init(target: String, job: PackingJob) throws {
    path = Self.path(of: target)
    unlink(path)
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.failure(path, errno) }
    try append(job.encoded)
  }

  /// Continues a journal after its last line that counts.
  ///
  /// - Throws: `PackedFileError.system`.
  init(target: String, continuing record: Record) throws {
    path = Self.path(of: target)
    descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0, ftruncate(descriptor, off_t(record.end)) == 0 else {
      throw Self.failure(path, errno)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Records that a section is written.
  func append(_ section: SectionEntry) throws { try append(section.encoded) }

  /// Records how far a shard was read: its first bytes, and their hash.
  func append(_ file: SourceFile) throws { try append(file.encoded) }

  private func append(_ json: String) throws {
    let bytes = Array(json.utf8)
    let digits = String(vl2_crc32c(0, bytes, bytes.count), radix: 16)
    do throws(Descriptor.Failure) {
      let checksum = String(repeating: "0", count: 8 - digits.count) + digits
      try Descriptor(descriptor).write("\(checksum) \(json)\n")
    } catch {
      throw Self.failure(path, error.number)
    }
  }

  /// Removes the journal of a packed file, if there is one.
  static func remove(of target: String) { unlink(path(of: target)) }

  /// - Parameter number: the system's error number.
  private static func failure(_ path: String, _ number: Int32) -> PackedFileError {
    .system(path: path, operation: "be written", reason: SystemReason.writing(number))
  }
}

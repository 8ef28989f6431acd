import Glibc
import SystemSupport
import VL2Base

/// Reads a packed file's stored bytes in large reads that bypass the page cache, so that a program holds only
/// the memory that it asked for. If the file system has no such reads, the cached pages are dropped after
/// each read.
///
/// Only one thread at a time may read.
package final class SectionReader {
  /// Offsets, lengths and addresses of reads are multiples of this.
  package static let alignment = 4096

  private let file: PackedFile
  private var descriptor: Int32 = -1
  private var direct = false
  /// The `generation` of the file when `descriptor` was opened.
  private var generation = -1

  package init(_ file: PackedFile) { self.file = file }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Bytes of memory needed to read `count` bytes.
  package static func room(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  /// Reads `count` bytes of the file from `offset` on.
  ///
  /// - Parameters:
  ///   - offset: a multiple of `alignment`.
  ///   - target: `room(count)` bytes at a multiple of `alignment`; bytes after `count` may be written too.
  /// - Throws: `PackedFileError` for a file that is cut short or cannot be read.
  package func read(_ count: Int, from offset: Int, into target: UnsafeMutableRawPointer) throws {
    try open()
    var done = 0
    while done < count {
      let wanted = Self.room(count - done)
      let got = pread(descriptor, target + done, wanted, off_t(offset + done))
      if got < 0 {
        if errno == EINTR { continue }
        if errno == EINVAL && direct {
          try open(direct: false)
          continue
        }
        let reason = SystemReason.reading(errno)
        file.distrust()
        throw PackedFileError.system(path: file.path, operation: "be read", reason: reason)
      }
      if !direct { vl2_drop_cached(descriptor, Int64(offset + done), Int64(wanted)) }
      done += min(got, count - done)
      if got == 0 || (done < count && done % Self.alignment != 0) {
        // The file ends earlier than it did.
        file.distrust()
        try file.checkUnchanged()
      }
    }
  }

  private func open() throws {
    if descriptor >= 0 && generation == file.generation { return }
    try open(direct: true)
  }

  private func open(direct: Bool) throws {
    if descriptor >= 0 { close(descriptor) }
    generation = file.generation
    // Opens the same file, not whatever is at its path by now.
    let own = "/proc/self/fd/\(file.mapped.descriptor)"
    descriptor = direct ? vl2_open_direct(own) : -1
    self.direct = descriptor >= 0
    // Where there was no descriptor, the next question tries again; else it would be read through the cache for good.
    let isShort = direct && descriptor < 0 && (errno == EMFILE || errno == ENFILE)
    if descriptor < 0, !isShort { descriptor = fcntl(file.mapped.descriptor, F_DUPFD_CLOEXEC, 0) }
    guard descriptor >= 0 else {
      throw PackedFileError.system(
        path: file.path, operation: "be read", reason: SystemReason.reading(errno))
    }
  }
}

import Glibc
import SystemSupport
import VL2Base

/// Has the system read parts of a packed file into its page cache, where they are used once they are mapped.
///
/// Only one thread at a time may use it. It reads the file as it was when this was made, also where `PackedFile.refresh`
/// has opened another one since.
package final class CacheFiller {
  /// The most bytes of one read. Whoever wants something else meanwhile waits for it: 25 ms at 40 MB/s.
  package static let pieceBytes = 1 << 20
  /// How far apart the places are at which the page cache is asked. The system reads no less at a time where a page is
  /// wanted that it lacks.
  package static let probeBytes = 128 << 10

  private let descriptor: Int32
  private let buffer = UnsafeMutableRawPointer.allocate(byteCount: pieceBytes, alignment: 1 << 12)

  /// nil where the file cannot be opened once more.
  package init?(_ file: PackedFile) {
    // Opened again and not duplicated, so that the system's guess at what is read next is this reader's own.
    let opened = open("/proc/self/fd/\(file.mapped.descriptor)", O_RDONLY | O_CLOEXEC)
    descriptor = opened >= 0 ? opened : fcntl(file.mapped.descriptor, F_DUPFD_CLOEXEC, 0)
    if descriptor < 0 {
      buffer.deallocate()
      return nil
    }
  }

  deinit {
    close(descriptor)
    buffer.deallocate()
  }

  /// Whether the page cache holds a range as far as the places tell at which it is asked; false where it does not say.
  package func isCached(_ range: Range<Int>) -> Bool {
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: Self.probeBytes)
    where vl2_is_cached(descriptor, Int64(offset)) != 1 {
      return false
    }
    return true
  }

  /// Reads a range of at most `pieceBytes`.
  ///
  /// - Returns: false where that is impossible. Whoever uses the bytes will find out why.
  package func read(_ range: Range<Int>) -> Bool {
    var at = range.lowerBound
    while at < range.upperBound {
      let count = pread(descriptor, buffer, range.upperBound - at, off_t(at))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      at += count
    }
    return true
  }
}

import Glibc

/// A regular file that is read in pieces, from any thread. If the file is cut short while it is read, reading
/// throws an error; with a memory-mapped file, it would end the program by SIGBUS.
package final class InputFile: Sendable {
  package let path: String
  /// Bytes at the time of opening.
  package let length: Int
  private let descriptor: Int32
  /// Time of the last write to the file, as seen at opening.
  private let written: timespec

  /// Follows symbolic links.
  ///
  /// - Throws: `InputError` if the file is missing or not readable.
  package convenience init(path: String) throws {
    // O_NONBLOCK, because opening a pipe must not hang.
    try self.init(path: path, opened: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
  }

  /// - Parameter descriptor: what opening the file gave, which belongs to this object now; -1 where it failed, with the
  ///   reason in `errno`.
  init(path: String, opened descriptor: Int32) throws {
    self.path = path
    guard descriptor >= 0 else {
      let code = errno
      throw code == ENOENT || code == ENOTDIR
        ? InputError.missing(path: path)
        : InputError.unreadable(path: path, reason: SystemReason.reading(code))
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw InputError.unreadable(path: path, reason: SystemReason("not a regular file", "give another path"))
    }
    self.descriptor = descriptor
    length = Int(status.st_size)
    written = status.st_mtim
  }

  deinit { close(descriptor) }

  /// False if the file was written to since it was opened.
  package var isUnchanged: Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && Int(status.st_size) == length
      && status.st_mtim.tv_sec == written.tv_sec && status.st_mtim.tv_nsec == written.tv_nsec
  }

  /// Fills `buffer` with the bytes from `offset` on.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw InputError.unreadable(path: path, reason: SystemReason.reading(errno))
      }
      guard count > 0 else {
        throw InputError.truncated(path: path, expected: offset + buffer.count, actual: offset + done)
      }
      done += count
    }
  }

  package func bytes(_ range: Range<Int>) throws -> [UInt8] {
    // Swift's library writes the length into the array that all empty ones share, which ThreadSanitizer calls a race.
    if range.isEmpty { return [] }
    return try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      let room = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<range.count]))
      try read(into: room, at: range.lowerBound)
      count = range.count
    }
  }

  /// Tells the kernel that these bytes are not needed again, so that a checkpoint of many gigabytes does not
  /// push everything else out of the page cache.
  package func release(_ range: Range<Int>) {
    posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
  }
}

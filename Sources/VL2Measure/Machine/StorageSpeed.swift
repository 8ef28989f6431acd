import Glibc
import SystemSupport

/// How fast a file can be read from its storage.
package struct StorageSpeed: Sendable {
  /// Large reads that bypass the page cache, one after another, like the reads of experts under a budget.
  package var bytesPerSecond: Double
  /// Whether the bytes came from memory after all, so that the figure is not the storage's. Either the file
  /// system is in memory, or it has no reads that bypass the page cache and the system kept the file cached.
  package var isFromMemory: Bool

  package init(bytesPerSecond: Double, isFromMemory: Bool) {
    self.bytesPerSecond = bytesPerSecond
    self.isFromMemory = isFromMemory
  }

  /// Reads up to 256 MiB of a file, for two seconds at the most.
  ///
  /// - Returns: nil if the file cannot be read.
  package static func measure(_ path: String) -> StorageSpeed? {
    var descriptor = vl2_open_direct(path)
    if descriptor < 0 {
      descriptor = open(path, O_RDONLY | O_CLOEXEC)
      // Pages that nobody has mapped or changed are dropped, so that the next read comes from storage.
      if descriptor >= 0 { vl2_drop_cached(descriptor, 0, 0) }
    }
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let piece = 2 << 20
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: piece, alignment: 1 << 16)
    defer { buffer.deallocate() }
    var total = 0
    let before = bytesFromStorage()
    let begin = ContinuousClock.now
    while total < 256 << 20 {
      let count = pread(descriptor, buffer, piece, off_t(total))
      if count > 0 { total += count }
      // The file has ended, or a slow card has been read for long enough.
      if count < piece || ContinuousClock.now - begin > .seconds(2) { break }
    }
    let seconds = (ContinuousClock.now - begin) / .seconds(1)
    guard total > 0, seconds > 0 else { return nil }
    return StorageSpeed(
      bytesPerSecond: Double(total) / seconds, isFromMemory: bytesFromStorage() - before < total / 2)
  }

  /// Bytes that this process has made the system read so far. Source: read_bytes of proc_pid_io(5).
  private static func bytesFromStorage() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("read_bytes:") }
    return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
  }
}

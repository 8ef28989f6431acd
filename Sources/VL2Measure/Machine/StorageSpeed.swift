import Foundation
import SystemSupport

/// How fast a file can be read from its storage.
package struct StorageSpeed: Sendable {
  /// Large reads past the page cache, one after the other, as experts are read under a budget.
  package var bytesPerSecond: Double
  /// Whether the bytes came from memory all the same, so that the figure is not the storage's: a file system in memory,
  /// or one without reads past the page cache whose system did not let go of the file.
  package var isFromMemory: Bool

  /// Reads up to 256 MiB of a file, for two seconds at the most.
  ///
  /// - Returns: nil where the file cannot be read.
  package static func measure(_ path: String) -> StorageSpeed? {
    var descriptor = vl2_open_direct(path)
    if descriptor < 0 {
      descriptor = open(path, O_RDONLY | O_CLOEXEC)
      // Pages that nobody has mapped or changed are given up; the next read comes from storage.
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
      // The file's end; or a slow card has said enough.
      if count < piece || ContinuousClock.now - begin > .seconds(2) { break }
    }
    let seconds = (ContinuousClock.now - begin) / .seconds(1)
    guard total > 0, seconds > 0 else { return nil }
    return StorageSpeed(
      bytesPerSecond: Double(total) / seconds, isFromMemory: bytesFromStorage() - before < total / 2)
  }

  /// What this process has made the system read so far. Source: read_bytes of proc_pid_io(5).
  private static func bytesFromStorage() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("read_bytes:") }
    return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
  }
}

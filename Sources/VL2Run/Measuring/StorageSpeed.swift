import Foundation

/// How fast a file can be read from its storage.
public struct StorageSpeed: Sendable {
  /// Large reads, one after the other.
  public var bytesPerSecond: Double
  /// Whether the system kept the file in memory in spite of being asked not to, so that the figure is the memory's.
  public var isFromMemory: Bool

  /// Reads up to 256 MiB of a file in pieces of 1 MiB, from storage as far as the system allows.
  ///
  /// - Returns: nil where the file cannot be read.
  public static func measure(_ path: String) -> StorageSpeed? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let size = Int(lseek(descriptor, 0, SEEK_END))
    let piece = 1 << 20
    guard size > 0 else { return nil }
    // Pages that nobody has mapped or changed are given up; the next read comes from storage.
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: piece, alignment: 1 << 16)
    defer { buffer.deallocate() }
    var total = 0
    let before = bytesFromStorage()
    let begin = ContinuousClock.now
    while total < 256 << 20 {
      let count = pread(descriptor, buffer, piece, off_t(total))
      guard count > 0 else { break }
      total += count
      // A slow card has said enough after two seconds.
      if ContinuousClock.now - begin > .seconds(2) { break }
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

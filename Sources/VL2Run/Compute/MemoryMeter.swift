/// The largest memory seen, in bytes.
public struct MemoryPeaks: Sendable, Equatable {
  /// Memory that belongs to the process alone and cannot be read back from a file.
  public var anonymous = 0
  /// Pages of mapped files, the packed weights above all; the system takes them back when it needs memory.
  public var fileBacked = 0
}

/// Measures this process's memory at the moments when it is largest.
package struct MemoryMeter {
  package private(set) var peaks = MemoryPeaks()

  package init() {}

  /// Reads the current resident sizes. Source: RssAnon and RssFile of proc(5).
  package mutating func sample() {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return }
    for line in status.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      guard words.count >= 2, let kibibytes = Int(words[1]) else { continue }
      switch words[0] {
      case "RssAnon:": peaks.anonymous = max(peaks.anonymous, kibibytes << 10)
      case "RssFile:": peaks.fileBacked = max(peaks.fileBacked, kibibytes << 10)
      default: break
      }
    }
  }
}

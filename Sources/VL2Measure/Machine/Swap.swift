/// Where pages go that do not fit into memory.
package struct Swap: Sendable, Equatable {
  /// A device or a file, as the system names it.
  package var path: String
  package var bytes: Int
  package var used: Int

  /// Whether it is memory itself, compressed.
  package var isCompressedMemory: Bool { path.hasPrefix("/dev/zram") }

  /// Reads `/proc/swaps`. Source: proc_swaps(5), sizes in KiB.
  static func all(_ text: String) -> [Swap] {
    text.split(separator: "\n").dropFirst().compactMap { line in
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count >= 4, let size = Int(words[2]), let used = Int(words[3]),
        (0..<1 << 50).contains(size), (0...size).contains(used)
      else { return nil }
      return Swap(path: String(words[0]), bytes: size << 10, used: used << 10)
    }
  }
}

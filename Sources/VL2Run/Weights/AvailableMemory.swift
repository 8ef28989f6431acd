import Glibc
import VL2Base

/// The memory that a process may still take on this machine.
package struct AvailableMemory {
  /// Bytes that are free or can be freed without swapping, within the limits of this process and its control groups.
  package var available: Int

  /// Reads the machine's current state. Source: proc(5).
  ///
  /// - Parameter root: a folder that stands for "/".
  /// - Returns: nil where the system does not say.
  package static func read(root: String = "") -> AvailableMemory? {
    let text = (try? String(contentsOfFile: root + "/proc/meminfo", encoding: .utf8)) ?? ""
    guard let free = field("MemAvailable:", of: text) else { return nil }
    var available = free << 10
    for group in ControlGroup.all(root: root) ?? [] {
      available = min(available, max(0, group.limit - group.used))
    }
    if let limit = AddressSpaceLimit.read(root: root) { available = min(available, limit.left) }
    return AvailableMemory(available: available)
  }

  /// The number after a name, in text that has one name on each line.
  static func field(_ name: String, of text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      if words.count >= 2 && words[0] == name { return Int(words[1]) }
    }
    return nil
  }
}

import Foundation

/// The memory that a process may still take on this machine.
package struct MachineMemory {
  /// Bytes that are free or can be freed without swapping, within the limits of this process's control groups.
  package var available: Int

  /// Reads the machine's state of now. Sources: proc(5), cgroups(7), and the kernel's documentation of the memory
  /// controllers of version 1 and 2.
  ///
  /// - Parameter root: a folder that stands for "/".
  /// - Returns: nil where the system does not say.
  package static func read(root: String = "") -> MachineMemory? {
    guard let free = field("MemAvailable:", of: text(root + "/proc/meminfo")) else { return nil }
    var available = free << 10
    for group in groups(root) { available = min(available, max(0, group)) }
    return MachineMemory(available: available)
  }

  /// What each control group of this process, and each above it, leaves.
  private static func groups(_ root: String) -> [Int] {
    var left: [Int] = []
    for line in text(root + "/proc/self/cgroup").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let controllers = parts[1].split(separator: ",")
      guard controllers.isEmpty || controllers.contains("memory") else { continue }
      for mount in mounts(root, isVersion2: controllers.isEmpty) {
        // Inside a container the path may be the host's; the group is then the mount itself.
        var path = String(parts[2])
        while true {
          if let bytes = room(root + mount + path, isVersion2: controllers.isEmpty) { left.append(bytes) }
          guard let slash = path.lastIndex(of: "/") else { break }
          path = String(path[..<slash])
        }
      }
    }
    return left
  }

  /// Folders at which control groups with a memory controller are mounted.
  private static func mounts(_ root: String, isVersion2: Bool) -> [String] {
    text(root + "/proc/self/mounts").split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count >= 4 else { return nil }
      if isVersion2 { return words[2] == "cgroup2" ? String(words[1]) : nil }
      return words[2] == "cgroup" && words[3].split(separator: ",").contains("memory")
        ? String(words[1]) : nil
    }
  }

  /// Limit less use of a group, what the page cache could give back not counted as used; nil without a limit.
  private static func room(_ folder: String, isVersion2: Bool) -> Int? {
    let names =
      isVersion2 ? ("memory.max", "memory.current") : ("memory.limit_in_bytes", "memory.usage_in_bytes")
    guard let limit = number(folder + "/" + names.0), let used = number(folder + "/" + names.1) else {
      return nil
    }
    let statistics = text(folder + "/memory.stat")
    let prefix = isVersion2 ? "" : "total_"
    let cached = ["active_file", "inactive_file"].reduce(0) {
      $0 + (field(prefix + $1, of: statistics) ?? 0)
    }
    // Without a limit, version 1 has the largest number of pages there is.
    return limit >= 1 << 60 ? nil : limit - used + min(cached, used)
  }

  private static func text(_ path: String) -> String {
    (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }

  private static func number(_ path: String) -> Int? {
    Int(text(path).trimmingCharacters(in: .whitespacesAndNewlines))
  }

  private static func field(_ name: String, of text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      if words.count >= 2 && words[0] == name { return Int(words[1]) }
    }
    return nil
  }
}

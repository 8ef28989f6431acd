import Glibc

/// A control group that limits memory: one that this process is in, or one above it. Sources: cgroups(7), and the
/// kernel's documentation of the memory controllers of version 1 and 2.
package struct ControlGroup {
  /// Bytes that processes of the group may have together.
  package var limit: Int
  /// Bytes that they have now, without what the page cache could give back.
  package var used: Int

  /// The groups with a limit; nil where this system cannot limit memory, because there are no control groups or none
  /// with a memory controller.
  ///
  /// - Parameter root: a folder that stands for "/".
  package static func all(root: String) -> [ControlGroup]? {
    let mounts = Mount.all(root: root)
    guard !mounts.isEmpty else { return nil }
    var groups: [ControlGroup] = []
    for line in (text(root + "/proc/self/cgroup") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isVersion2 = parts[1].isEmpty
      guard isVersion2 || parts[1].split(separator: ",").contains("memory") else { continue }
      for mount in mounts where mount.isVersion2 == isVersion2 {
        // Inside a container the path may be the host's; the group is then the mount itself.
        var path = String(parts[2])
        while true {
          if let group = ControlGroup(folder: root + mount.folder + path, isVersion2: isVersion2) {
            groups.append(group)
          }
          guard let slash = path.lastIndex(of: "/") else { break }
          path = String(path[..<slash])
        }
      }
    }
    return groups
  }

  /// nil for a group without a limit.
  private init?(folder: String, isVersion2: Bool) {
    let names =
      isVersion2 ? ("memory.max", "memory.current") : ("memory.limit_in_bytes", "memory.usage_in_bytes")
    // Where there is no limit, version 1 shows the largest number of pages there is.
    guard let limit = Self.number(folder + "/" + names.0), limit < 1 << 60,
      let used = Self.number(folder + "/" + names.1)
    else { return nil }
    let statistics = Self.text(folder + "/memory.stat") ?? ""
    let prefix = isVersion2 ? "" : "total_"
    let cached = ["active_file", "inactive_file"].reduce(0) {
      $0 + (AvailableMemory.field(prefix + $1, of: statistics) ?? 0)
    }
    self.limit = limit
    var kept = used - min(cached, used)
    // The kernel adds up memory.stat late: file pages that were just read are in memory.current and not yet there. What is
    // no file page is there by itself, since Linux 5.18.
    if isVersion2, let kernel = AvailableMemory.field("kernel", of: statistics) {
      let processes = ["anon", "shmem"].reduce(0) { $0 + (AvailableMemory.field($1, of: statistics) ?? 0) }
      kept = min(kept, processes + kernel)
    }
    self.used = kept
  }

  /// A mount point of control groups that have the memory controller.
  private struct Mount {
    var folder: String
    var isVersion2: Bool

    package static func all(root: String) -> [Mount] {
      (text(root + "/proc/self/mounts") ?? "").split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard words.count >= 4 else { return nil }
        let folder = String(words[1])
        switch words[2] {
        case "cgroup2":
          let controllers = text(root + folder + "/cgroup.controllers") ?? ""
          guard controllers.split(whereSeparator: \.isWhitespace).contains("memory") else { return nil }
          return Mount(folder: folder, isVersion2: true)
        case "cgroup":
          guard words[3].split(separator: ",").contains("memory") else { return nil }
          return Mount(folder: folder, isVersion2: false)
        default: return nil
        }
      }
    }
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

  private static func number(_ path: String) -> Int? {
    text(path).flatMap { Int($0.trimmed()) }
  }
}

import FoundationEssentials

/// The folder of a control group that this process is in, or of one above it. Source: cgroups(7).
package struct ControlGroupFolder: Sendable, Equatable {
  package var path: String
  package var isVersion2: Bool

  /// The groups of one controller, the innermost first; nil where this system has no such controller.
  ///
  /// - Parameters:
  ///   - controller: for example "memory".
  ///   - root: a folder that stands for "/".
  package static func all(_ controller: String, root: String) -> [ControlGroupFolder]? {
    let mounts = Mount.all(root: root).filter { $0.controllers.contains(controller) }
    guard !mounts.isEmpty else { return nil }
    var folders: [ControlGroupFolder] = []
    for line in (text(root + "/proc/self/cgroup") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isVersion2 = parts[1].isEmpty
      guard isVersion2 || parts[1].split(separator: ",").contains(Substring(controller)) else { continue }
      for mount in mounts where mount.isVersion2 == isVersion2 {
        // Inside a container the path may be the host's; the group is then the mount itself.
        var path = String(parts[2])
        while true {
          folders.append(
            ControlGroupFolder(path: root + mount.folder + path, isVersion2: isVersion2))
          guard let slash = path.lastIndex(of: "/") else { break }
          path = String(path[..<slash])
        }
      }
    }
    return folders
  }

  /// Whether this system has control groups, with whatever controllers.
  package static func exist(root: String) -> Bool { !Mount.all(root: root).isEmpty }

  /// What a file of the group says; nil where there is no such file.
  package func text(_ name: String) -> String? { Self.text(path + "/" + name)?.trimmed() }

  /// A mount point of control groups.
  private struct Mount {
    var folder: String
    var isVersion2: Bool
    var controllers: Set<String>

    static func all(root: String) -> [Mount] {
      (text(root + "/proc/self/mounts") ?? "").split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard words.count >= 4 else { return nil }
        let folder = String(words[1])
        switch words[2] {
        case "cgroup2":
          // Never /proc/cgroups: newer kernels list the controllers of version 1 alone there.
          let controllers = text(root + folder + "/cgroup.controllers") ?? ""
          return Mount(
            folder: folder, isVersion2: true,
            controllers: Set(controllers.split(whereSeparator: \.isWhitespace).map(String.init)))
        case "cgroup":
          return Mount(
            folder: folder, isVersion2: false,
            controllers: Set(words[3].split(separator: ",").map(String.init)))
        default: return nil
        }
      }
    }
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}

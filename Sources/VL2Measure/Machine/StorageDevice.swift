import FoundationEssentials
import Glibc
import VL2Base

/// What a file is stored on.
package struct StorageDevice: Sendable, Equatable {
  /// For example "microSD or SD card".
  package var kind: String
  /// What the kernel calls it, and its maker: "mmcblk0, SC64G".
  package var name: String

  package init(kind: String, name: String) {
    self.kind = kind
    self.name = name
  }

  /// nil where the file is on no device of its own: in memory, on a network, or on a file system over several.
  package init?(of path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    let device = UInt64(status.st_dev)
    // Source: makedev(3) of glibc.
    self.init(
      major: Int(device >> 8 & 0xFFF | device >> 32 & ~0xFFF),
      minor: Int(device & 0xFF | device >> 12 & ~0xFF),
      root: "")
  }

  /// - Parameter root: a folder that stands for "/".
  package init?(major: Int, minor: Int, root: String) {
    guard let resolved = realpath("\(root)/sys/dev/block/\(major):\(minor)", nil) else { return nil }
    defer { free(resolved) }
    var folder = String(cString: resolved)
    func text(_ file: String) -> String? {
      (try? String(contentsOfFile: folder + "/" + file, encoding: .utf8))?.trimmed()
    }
    if text("partition") != nil { folder = PathText.folder(of: folder) }
    let node = folder.split(separator: "/").last.map(String.init) ?? ""
    kind =
      if node.hasPrefix("nvme") {
        "NVMe disk"
      } else if node.hasPrefix("mmcblk") {
        text("device/type") == "MMC" ? "eMMC" : "microSD or SD card"
      } else if node.hasPrefix("sd") {
        (folder.contains("/usb") ? "USB disk" : "SATA disk")
          + (text("queue/rotational") == "1" ? ", turning" : "")
      } else {
        "block device"
      }
    name = ([node] + [text("device/model") ?? text("device/name")].compactMap { $0 }).joined(separator: ", ")
  }
}

import FoundationEssentials
import Glibc
import VL2Base

/// A node in /dev through which a camera can be read. Source: the kernel's documentation of V4L2 and of sysfs.
package struct CameraNode: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case usb
    /// On a board's camera connector: its frames need libcamera (rpicam-vid).
    case connector
    case other
  }

  /// For example "/dev/video0".
  package var path: String
  /// What its driver calls it.
  package var name: String
  package var kind: Kind
  /// The group that the node belongs to; nil where there is no node.
  package var group: String?
  /// Whether this program may read it.
  package var isOpen: Bool

  /// What decodes, encodes, scales and corrects pictures; it shows none.
  private static let machinery = [
    "bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc-dec", "rpivid", "hantro", "rockchip", "rkvdec", "rga",
    "rkisp", "stateless", "stateful", "cedrus",
  ]

  /// Those that show pictures, in the order of their numbers.
  static func all(root: String) -> [CameraNode] {
    let folder = root + "/sys/class/video4linux"
    func text(_ path: String) -> String? {
      (try? String(contentsOfFile: folder + "/" + path, encoding: .utf8))?.trimmed()
    }
    let numbers = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap {
      $0.hasPrefix("video") ? Int($0.dropFirst("video".count)) : nil
    }
    return numbers.sorted().compactMap { number in
      let node = "video\(number)"
      let name = text(node + "/name") ?? ""
      guard !machinery.contains(where: { name.hasPrefix($0) }) else { return nil }
      let driver = (text(node + "/device/uevent") ?? "").split(separator: "\n").first {
        $0.hasPrefix("DRIVER=")
      }?.dropFirst("DRIVER=".count)
      // The second node of a USB camera has data about frames, and none of them.
      if driver == "uvcvideo", text(node + "/index") != "0" { return nil }
      let isOnConnector = ["unicam", "rp1-cfe"].contains { name.hasPrefix($0) }
      let kind: Kind = driver == "uvcvideo" ? .usb : isOnConnector ? .connector : .other
      var status = stat()
      let path = root + "/dev/" + node
      let exists = stat(path, &status) == 0
      return CameraNode(
        path: "/dev/" + node, name: name, kind: kind,
        group: exists ? Self.group(Int(status.st_gid), root: root) : nil,
        isOpen: exists && access(path, R_OK | W_OK) == 0)
    }
  }

  private static func group(_ number: Int, root: String) -> String {
    let lines = (try? String(contentsOfFile: root + "/etc/group", encoding: .utf8)) ?? ""
    for line in lines.split(separator: "\n") {
      let parts = line.split(separator: ":", omittingEmptySubsequences: false)
      if parts.count >= 3, Int(parts[2]) == number { return String(parts[0]) }
    }
    return "\(number)"
  }
}

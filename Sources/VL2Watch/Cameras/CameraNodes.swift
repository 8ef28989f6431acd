import VL2Base

/// The names that cameras have in /dev.
struct CameraNodes {
  static let links = "/dev/v4l/by-id"
  let calls: any DeviceCalls

  init(_ calls: any DeviceCalls) { self.calls = calls }

  /// /dev/video0 and so on, by their numbers.
  func paths() -> [String] {
    let numbers = calls.names(in: "/dev").compactMap { name in
      name.hasPrefix("video") ? UInt32(name.dropFirst(5)) : nil
    }
    return numbers.sorted().map { "/dev/video\($0)" }
  }

  /// Of a device, or of a link to one.
  func node(_ path: String) -> String { Self.lastPart(calls.link(at: path) ?? path) }

  private static func lastPart(_ path: String) -> String {
    path.split(separator: "/").last.map { String($0) } ?? path
  }

  /// The name that does not change with the number; nil where it has none.
  func link(to node: String) -> String? {
    calls.names(in: Self.links).sorted().map { "\(Self.links)/\($0)" }.first { path in
      calls.link(at: path).map(Self.lastPart) == node
    }
  }

  /// All that give pictures.
  func devices() -> [CameraDevice] { paths().compactMap { try? CameraDevice($0, calls) } }
}

/// What a camera is known by when it comes back.
struct KnownCamera {
  /// As it was given.
  private let path: String
  private let link: String?
  private let card: String
  private let bus: String
  /// Which it is of the nodes of that card on that bus: some cameras have several.
  private let ordinal: Int
  /// Where cameras that are called the same were plugged in beside it.
  private let others: Set<String>

  init(_ device: CameraDevice, _ nodes: CameraNodes) {
    (path, card, bus) = (device.path, device.card, device.bus)
    let node = nodes.node(device.path)
    link = nodes.link(to: node)
    let same = nodes.devices().filter { $0.card == device.card }
    ordinal = same.filter { $0.bus == device.bus }.firstIndex { nodes.node($0.path) == node } ?? 0
    others = Set(same.map(\.bus)).subtracting([device.bus])
  }

  /// Opens it again.
  ///
  /// - Throws: `FileError` where it is not there.
  func find(_ nodes: CameraNodes) throws(FileError) -> CameraDevice {
    // A link names the same camera wherever it is plugged in, but for cameras without a number of their own, which share one.
    let links = [nodes.calls.link(at: path) == nil ? nil : path, link].compactMap { $0 }
    for link in links {
      if let device = try? CameraDevice(link, nodes.calls), device.card == card, !others.contains(device.bus)
      {
        return device
      }
    }
    let same = nodes.devices().filter { $0.card == card && $0.bus == bus }
    if ordinal < same.count { return same[ordinal] }
    let there = try CameraDevice(path, nodes.calls)
    throw FileError(
      .unavailable, path, "another camera is there now, \(UntrustedText.quoted(there.card))",
      "plug the one that was there in again, or start anew")
  }
}

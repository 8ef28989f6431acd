import VL2Base

/// How a service is that the package brings, as systemd says.
package struct ServiceState: Sendable, Equatable {
  /// The server, and the camera's loop.
  package static let units = ["vl2.service", "vl2-kiosk.service"]

  package var unit: String
  /// For example "active", "failed", "inactive", "activating".
  package var active: String
  /// For example "enabled", "disabled".
  package var enabled: String
  /// How often systemd has started it again by itself.
  package var restarts: Int
  /// Why it failed, in systemd's words: "exit-code", "oom-kill", "watchdog"; "success" where it did not.
  package var result: String
  /// The limit of its memory in bytes; nil without one.
  package var mostMemory: Int?

  /// Reads what `systemctl show` writes of a unit; nil where there is no such unit.
  package init?(_ text: String) {
    let properties = Dictionary(
      text.split(separator: "\n").compactMap { line -> (Substring, String)? in
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2 ? (parts[0], String(parts[1])) : nil
      }, uniquingKeysWith: { first, _ in first })
    guard properties["LoadState"] == "loaded", let unit = properties["Id"],
      let active = properties["ActiveState"]
    else { return nil }
    self.unit = unit
    self.active = active
    enabled = properties["UnitFileState"] ?? ""
    restarts = properties["NRestarts"].flatMap { Int($0) } ?? 0
    result = properties["Result"] ?? ""
    mostMemory = properties["MemoryMax"].flatMap { Int($0) }
  }

  /// The units that there are, of several between which `systemctl show` leaves a line free.
  package static func all(_ text: String) -> [ServiceState] {
    var parts: [[Substring]] = [[]]
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty { parts.append([]) } else { parts[parts.count - 1].append(line) }
    }
    return parts.compactMap { ServiceState($0.joined(separator: "\n")) }
  }

  /// Asks systemd, for five seconds at most.
  ///
  /// - Returns: nil where this system was not started by systemd, and where it does not answer.
  package static func read() -> [ServiceState]? {
    guard FileStatus("/run/systemd/system")?.isFolder == true else { return nil }
    let names = ["Id", "LoadState", "ActiveState", "UnitFileState", "NRestarts", "Result", "MemoryMax"]
    let command = ChildCommand(
      ["systemctl", "show", "--no-pager", "--property", names.joined(separator: ",")] + units)
    guard let output = try? ChildWork.output(command, seconds: 5, outputBytes: 10_000) else { return nil }
    return all(String(decoding: output, as: UTF8.self))
  }
}

import VL2Base

/// How the service is that the package brings, as systemd says.
package struct ServiceState: Sendable, Equatable {
  package static let unit = "vl2.service"

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

  /// Reads what `systemctl show` writes; nil where there is no such unit.
  package init?(_ text: String) {
    let properties = Dictionary(
      text.split(separator: "\n").compactMap { line -> (Substring, String)? in
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2 ? (parts[0], String(parts[1])) : nil
      }, uniquingKeysWith: { first, _ in first })
    guard properties["LoadState"] == "loaded", let active = properties["ActiveState"] else { return nil }
    self.active = active
    enabled = properties["UnitFileState"] ?? ""
    restarts = properties["NRestarts"].flatMap { Int($0) } ?? 0
    result = properties["Result"] ?? ""
    mostMemory = properties["MemoryMax"].flatMap { Int($0) }
  }

  package enum Reading: Sendable, Equatable {
    /// This system was not started by systemd, or it does not answer.
    case unknown
    case missing
    case found(ServiceState)
  }

  /// Asks systemd, for five seconds at most.
  package static func read() -> Reading {
    guard FileStatus("/run/systemd/system")?.isFolder == true else { return .unknown }
    let names = ["LoadState", "ActiveState", "UnitFileState", "NRestarts", "Result", "MemoryMax"]
    let command = ChildCommand(
      ["systemctl", "show", "--no-pager", "--property", names.joined(separator: ","), unit])
    guard let output = try? ChildWork.output(command, seconds: 5, outputBytes: 10_000) else {
      return .unknown
    }
    return ServiceState(String(decoding: output, as: UTF8.self)).map { .found($0) } ?? .missing
  }
}

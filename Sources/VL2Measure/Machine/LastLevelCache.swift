import FoundationEssentials
import VL2Base

/// The caches that stand before memory. Source: the kernel's documentation of /sys/devices/system/cpu/cpu*/cache.
package struct LastLevelCache: Sendable, Equatable {
  /// Of all that the processors share which this program may use; nil if the system does not say.
  package var bytes: Int?

  /// - Parameter root: a folder that stands for "/".
  package init(root: String = "") {
    let processors = root.isEmpty ? Processors.system : Processors(root: root)
    // By what names a cache: its level and who shares it.
    var caches: [String: (level: Int, bytes: Int)] = [:]
    for processor in processors.fast {
      let folder = "\(root)/sys/devices/system/cpu/cpu\(processor)/cache"
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
        func text(_ file: String) -> String? {
          (try? String(contentsOfFile: "\(folder)/\(name)/\(file)", encoding: .utf8))?.trimmed()
        }
        guard name.hasPrefix("index"), let kind = text("type"), kind != "Instruction",
          let level = text("level").flatMap({ Int($0) }), let size = text("size").flatMap({ ByteSize($0) })
        else { continue }
        caches["\(level) \(text("shared_cpu_list") ?? "\(processor)")"] = (level, size.bytes)
      }
    }
    guard let last = caches.values.map(\.level).max() else { return }
    bytes = caches.values.reduce(0) { $0 + ($1.level == last ? min($1.bytes, 1 << 40) : 0) }
  }
}

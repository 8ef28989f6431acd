import VL2Base

/// A control group that limits memory: one that this process is in, or one above it. Source: the kernel's documentation of
/// the memory controllers of version 1 and 2.
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
    ControlGroupFolder.all("memory", root: root)?.compactMap { ControlGroup($0) }
  }

  /// nil for a group without a limit.
  private init?(_ folder: ControlGroupFolder) {
    let isVersion2 = folder.isVersion2
    let names =
      isVersion2 ? ("memory.max", "memory.current") : ("memory.limit_in_bytes", "memory.usage_in_bytes")
    // Where there is no limit, version 1 shows the largest number of pages there is.
    guard let limit = folder.text(names.0).flatMap({ Int($0) }), limit < 1 << 60,
      let used = folder.text(names.1).flatMap({ Int($0) })
    else { return nil }
    let statistics = folder.text("memory.stat") ?? ""
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
}

import FoundationEssentials
import SystemSupport

/// The processors that this program may use, and which of them are fast.
package struct Processors: Sendable, Equatable {
  /// How many of this machine's run.
  package private(set) var online: Int
  /// The numbers of those that this program may run on, in ascending order; at least one.
  package private(set) var allowed: [Int]
  /// Those of them that are fast: all where they are alike.
  package private(set) var fast: [Int]
  /// How many processors' time the control groups leave this program; nil without such a limit.
  package private(set) var quota: Double?

  /// This machine's, as they were for this program when they were first asked for: before any thread was kept on some.
  package static let system = Processors()

  /// Reads `/proc` and `/sys`, or copies of them below `root`. Sources: sched_getaffinity(2), proc_pid_status(5), and the
  /// kernel's documentation of sysfs (devices-system-cpu) and of the cpu controllers of version 1 and 2.
  package init(root: String = "") {
    let running = Self.numbers(Self.text(root + "/sys/devices/system/cpu/online") ?? "")
    var allowed = root.isEmpty ? Self.affinity(ofProcess: true) : []
    if allowed.isEmpty {
      allowed = Self.status(root: root).filter { running.isEmpty || running.contains($0) }
    }
    if allowed.isEmpty { allowed = running.isEmpty ? [0] : running }
    self.allowed = allowed
    online = max(running.count, allowed.count)
    fast = Self.fast(of: allowed, root: root)
    quota = Self.quota(root: root)
  }

  /// How many threads can run at a time.
  package var count: Int { limited(allowed.count) }

  /// How many threads answer fastest, as far as that is known without trying: one for each fast processor. Threads wait
  /// for each other at every layer, so that fast processors would wait for slow ones.
  package var answering: Int { limited(fast.count) }

  /// The processors on which so many threads that wait for each other should stay; nil where all are alike, and where
  /// there are more threads than fast processors.
  package func place(for threads: Int) -> [Int]? {
    fast.count < allowed.count && threads <= fast.count ? fast : nil
  }

  /// From now on this thread, and those that it starts, run on these processors alone. Where the system does not allow
  /// it, as in a service that may not call sched_setaffinity, nothing changes.
  ///
  /// - Returns: whether it does.
  @discardableResult package static func keepThisThread(on processors: [Int]) -> Bool {
    vl2_affinity_set(processors.map(Int32.init), Int32(processors.count)) == 0
  }

  /// The processors that may run this process's first thread, or this thread.
  package static func affinity(ofProcess: Bool) -> [Int] {
    var numbers = [Int32](repeating: 0, count: 8192)
    let count = vl2_affinity_get(ofProcess ? 1 : 0, &numbers, Int32(numbers.count))
    return numbers.prefix(Int(count)).map(Int.init)
  }

  /// What a quota leaves of so many threads. Half a processor's time is worth a thread of its own, less is not.
  private func limited(_ threads: Int) -> Int {
    guard let quota else { return threads }
    return max(1, min(threads, Int(min(quota.rounded(), 1e6))))
  }

  // MARK: fast ones

  private static func fast(of allowed: [Int], root: String) -> [Int] {
    func values(_ file: String) -> [Int]? {
      let values = allowed.compactMap { number in
        text(root + "/sys/devices/system/cpu/cpu\(number)/" + file).flatMap { Int($0) }
      }
      return values.count == allowed.count ? values : nil
    }
    func atLeast(_ numerator: Int, of denominator: Int, _ values: [Int]) -> [Int] {
      let most = values.max() ?? 0
      return zip(allowed, values).filter { $1 * denominator >= most * numerator }.map(\.0)
    }
    // What a processor does in a second, of 1024 for the fastest of the machine.
    if let capacities = values("cpu_capacity"), Set(capacities).count > 1 {
      return atLeast(1, of: 2, capacities)
    }
    // Not every kernel knows it. On ARM slow cores have lower clocks, and do less in each; elsewhere clocks differ by
    // favour among equals.
    let isARM =
      FileStatus(root + "/sys/devices/system/cpu/cpu\(allowed[0])/regs/identification/midr_el1") != nil
    if isARM, let clocks = values("cpufreq/cpuinfo_max_freq") { return atLeast(4, of: 5, clocks) }
    return allowed
  }

  // MARK: limits

  /// The smallest share that the groups on the way up have.
  private static func quota(root: String) -> Double? {
    (ControlGroupFolder.all("cpu", root: root) ?? []).compactMap { folder -> Double? in
      let words =
        folder.isVersion2
        ? (folder.text("cpu.max") ?? "").split(separator: " ").map(String.init)
        : [folder.text("cpu.cfs_quota_us") ?? "", folder.text("cpu.cfs_period_us") ?? ""]
      // Without a limit, version 2 says "max", version 1 -1.
      guard words.count == 2, let time = Double(words[0]), let period = Double(words[1]), time > 0, period > 0
      else { return nil }
      return time / period
    }.min()
  }

  private static func status(root: String) -> [Int] {
    let line = (text(root + "/proc/self/status") ?? "").split(separator: "\n").first {
      $0.hasPrefix("Cpus_allowed_list:")
    }
    return numbers(line.map { String($0.dropFirst("Cpus_allowed_list:".count)) } ?? "")
  }

  /// The numbers of a list such as "0-3,6".
  private static func numbers(_ list: String) -> [Int] {
    list.split(separator: ",").flatMap { part -> [Int] in
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0.trimmed()) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2,
        (0...last).contains(first), last < 8192
      else { return [] }
      return Array(first...last)
    }
  }

  private static func text(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.trimmed()
  }
}

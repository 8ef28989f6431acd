import FoundationEssentials
import Glibc
import VL2Base
import VL2Run

/// What Linux says about the computer that runs this.
package struct Machine: Sendable, Equatable {
  /// Cores of one kind.
  package struct Cores: Sendable, Equatable {
    package var count: Int
    /// nil if the system does not say.
    package var megahertz: Int?
    /// For example "Cortex-A76"; nil if unknown.
    package var name: String?
    /// What one does in a second, of 1024 for the fastest of the machine; nil if the system does not say.
    package var capacity: Int?

    package init(count: Int, megahertz: Int?, name: String?, capacity: Int? = nil) {
      self.count = count
      self.megahertz = megahertz
      self.name = name
      self.capacity = capacity
    }
  }

  /// How much memory the control groups allow.
  package enum MemoryLimit: Sendable, Equatable {
    /// This system cannot limit memory: the controller is switched off, or there are no control groups.
    case unavailable
    case unlimited
    /// In bytes; `used` are the bytes that the page cache could not give back.
    case limited(Int, used: Int)
  }

  /// For example "Raspberry Pi 5 Model B Rev 1.0"; nil if the system does not say.
  package var board: String?
  /// For example "AMD EPYC 7B13"; nil if the system names the cores only.
  package var processor: String?
  /// For example "6.12.34+rpt-rpi-2712"; nil if the system does not say.
  package var kernel: String?
  /// For example "Debian GNU/Linux 13 (trixie)"; nil if the system does not say.
  package var distribution: String?
  /// What the kernel was started with.
  package var kernelOptions: [String]
  /// The fastest first.
  package var cores: [Cores]
  /// Those that this program may use.
  package var processors: Processors
  /// The highest clock of the fast cores now, as the system set it, in MHz. A board's firmware may hold it lower.
  package var clock: Int?
  /// The instruction sets that are there, of those that kernels exist for and those that they might exist
  /// for.
  package var features: [String]
  /// For example "ondemand"; nil if the system does not say.
  package var governor: String?
  /// This and the memory values below are in bytes.
  package var pageSize: Int
  package var memory: Int
  package var availableMemory: Int
  package var swap: Int
  package var freeSwap: Int
  package var swaps: [Swap]
  package var memoryLimit: MemoryLimit
  /// Whether there are control groups at all.
  package var hasControlGroups: Bool
  /// The temperature of the hottest place, in degrees Celsius; nil without a sensor.
  package var temperature: Double?
  /// Whether the system itself holds the clock down now because it is hot.
  package var isHeldBack: Bool
  /// What slows the board down or did so; nil if the firmware does not say.
  package var throttling: Throttling?
  package var cameras: [CameraNode]

  /// Reads `/proc` and `/sys`, or copies of them below `root`.
  package init(root: String = "") {
    func text(_ path: String) -> String? {
      guard let data = FileManager.default.contents(atPath: root + path) else { return nil }
      let text = String(decoding: data, as: UTF8.self)
        .trimmed { $0.isWhitespace || $0 == "\0" }
      return text.isEmpty ? nil : text
    }
    func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    let info = CPUInfo(text("/proc/cpuinfo") ?? "")
    board = text("/proc/device-tree/model")
    kernel = text("/proc/sys/kernel/osrelease")
    distribution = Self.prettyName(text("/etc/os-release") ?? text("/usr/lib/os-release") ?? "")
    kernelOptions = (text("/proc/cmdline") ?? "").split(separator: " ").map(String.init)
    processor = info.modelName
    features = info.features
    func clock(_ core: Int, _ file: String) -> Int? {
      number("/sys/devices/system/cpu/cpu\(core)/cpufreq/" + file).map { $0 / 1000 }
    }
    cores = Self.cores(
      info, megahertz: { clock($0, "cpuinfo_max_freq") },
      capacity: { number("/sys/devices/system/cpu/cpu\($0)/cpu_capacity") })
    // What this program may use was read before any of its threads was kept on some.
    let processors = root.isEmpty ? Processors.system : Processors(root: root)
    self.processors = processors
    let heat = Heat(root: root, processors: processors.fast)
    (self.clock, temperature, isHeldBack) = (heat.clock, heat.temperature, heat.isHeldBack)
    governor = text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")

    let meminfo = Dictionary(
      (text("/proc/meminfo") ?? "").split(separator: "\n").compactMap { line -> (String, Int)? in
        let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
        guard words.count >= 2, let kibibytes = Int(words[1]) else { return nil }
        return (String(words[0]), kibibytes << 10)
      }, uniquingKeysWith: { first, _ in first })
    pageSize = sysconf(Int32(_SC_PAGESIZE))
    memory = meminfo["MemTotal"] ?? 0
    availableMemory = meminfo["MemAvailable"] ?? 0
    swap = meminfo["SwapTotal"] ?? 0
    freeSwap = meminfo["SwapFree"] ?? 0
    swaps = Swap.all(text("/proc/swaps") ?? "")
    memoryLimit = Self.memoryLimit(root: root)
    hasControlGroups = ControlGroupFolder.exist(root: root)

    throttling = Throttling.read(root: root, isRaspberryPi: board?.contains("Raspberry Pi") == true)
    cameras = CameraNode.all(root: root)
  }

  /// Source: os-release(5); a value may stand in quotes.
  private static func prettyName(_ text: String) -> String? {
    let name = "PRETTY_NAME="
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
    let value = line.dropFirst(name.count).trimmed { $0 == "\"" || $0 == "'" || $0.isWhitespace }
    return value.isEmpty ? nil : value
  }

  private static func cores(
    _ info: CPUInfo, megahertz: (Int) -> Int?, capacity: (Int) -> Int?
  ) -> [Cores] {
    var kinds: [Cores] = []
    for (core, name) in info.cores {
      let kind = Cores(count: 1, megahertz: megahertz(core), name: name, capacity: capacity(core))
      if let index = kinds.firstIndex(where: {
        $0.name == name && $0.megahertz == kind.megahertz && $0.capacity == kind.capacity
      }) {
        kinds[index].count += 1
      } else {
        kinds.append(kind)
      }
    }
    return kinds.sorted { ($0.capacity ?? 0, $0.megahertz ?? 0) > ($1.capacity ?? 0, $1.megahertz ?? 0) }
  }

  /// The tightest limit of the groups that this process is in.
  private static func memoryLimit(root: String) -> MemoryLimit {
    guard let groups = ControlGroup.all(root: root) else { return .unavailable }
    let tightest = groups.min { $0.limit - $0.used < $1.limit - $1.used }
    return tightest.map { .limited($0.limit, used: $0.used) } ?? .unlimited
  }
}

/// What `/proc/cpuinfo` says, on x86 and on ARM.
private struct CPUInfo {
  var modelName: String?
  var features: [String] = []
  /// Each core's number and name.
  var cores: [(number: Int, name: String?)] = []

  init(_ text: String) {
    var present: Set<Substring> = []
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard let key = parts.first?.trimmed() else { continue }
      let value = parts.count > 1 ? parts[1].trimmed() : ""
      switch key {
      case "processor": cores.append((Int(value) ?? cores.count, nil))
      case "model name" where modelName == nil: modelName = value
      case "flags", "Features": present.formUnion(value.split(separator: " ").map { Substring($0) })
      case "CPU part" where !cores.isEmpty: cores[cores.count - 1].name = Self.parts[value] ?? "part \(value)"
      default: break
      }
    }
    features = ["avx2", "avx512f", "avx512_vnni", "asimd", "asimddp", "i8mm"].filter {
      present.contains(Substring($0))
    }
  }

  /// Source: part numbers of ARM Limited's cores, as arch/arm64/include/asm/cputype.h of Linux lists them.
  private static let parts = [
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72", "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse N1", "0xd0d": "Cortex-A77", "0xd41": "Cortex-A78", "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510", "0xd47": "Cortex-A710", "0xd48": "Cortex-X2", "0xd49": "Neoverse N2",
    "0xd40": "Neoverse V1", "0xd4b": "Cortex-A78C", "0xd4d": "Cortex-A715", "0xd4f": "Neoverse V2",
    "0xd80": "Cortex-A520", "0xd81": "Cortex-A720",
  ]
}

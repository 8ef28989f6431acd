import TestModels
import TestSupport
import Testing
import VL2Measure

@Suite struct MachineTests {
  /// A copy of what a system says, below a folder.
  private func machine(_ files: [String: String]) throws -> Machine {
    try withTemporaryFolder { folder in
      try write(files, below: folder)
      return Machine(root: folder)
    }
  }

  private func arm(_ parts: [String]) -> String {
    parts.enumerated().map { index, part in
      "processor\t: \(index)\nFeatures\t: fp asimd crc32 asimddp\nCPU part\t: \(part)\n"
    }.joined(separator: "\n")
  }

  @Test func raspberryPi5() throws {
    var files = [
      "/proc/cpuinfo": arm(["0xd0b", "0xd0b", "0xd0b", "0xd0b"]),
      "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
      "/proc/meminfo":
        "MemTotal:        8255024 kB\nMemAvailable:    7000000 kB\nSwapTotal:        204784 kB\nSwapFree:         204784 kB\n",
      "/proc/cmdline": "coherent_pool=1M cgroup_disable=memory root=PARTUUID=1 rootwait\n",
      "/proc/self/cgroup": "0::/user.slice/session-1.scope\n",
      "/proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
      "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
      "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
      "/sys/class/thermal/thermal_zone0/temp": "61450\n",
      "/sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    ]
    for core in 0..<4 { files["/sys/devices/system/cpu/cpu\(core)/cpufreq/cpuinfo_max_freq"] = "2400000\n" }
    let machine = try machine(files)
    #expect(machine.board == "Raspberry Pi 5 Model B Rev 1.0")
    #expect(machine.cores == [Machine.Cores(count: 4, megahertz: 2400, name: "Cortex-A76")])
    #expect(machine.features == ["asimd", "asimddp"])
    #expect(machine.memory == 8_255_024 << 10 && machine.availableMemory == 7_000_000 << 10)
    #expect(machine.swap == 204_784 << 10 && machine.freeSwap == machine.swap)
    // As it comes, this system has no memory controller.
    #expect(machine.memoryLimit == .unavailable)
    #expect(machine.kernelOptions.contains("cgroup_disable=memory"))
    #expect(machine.governor == "ondemand" && machine.temperature == 61.45)
    #expect(machine.throttling == Throttling(bits: 0x50005))
  }

  @Test func fastAndSlowCores() throws {
    var files = ["/proc/cpuinfo": arm(["0xd05", "0xd05", "0xd0b", "0xfff"])]
    for (core, speed) in [1_800_000, 1_800_000, 2_400_000, 2_400_000].enumerated() {
      files["/sys/devices/system/cpu/cpu\(core)/cpufreq/cpuinfo_max_freq"] = "\(speed)\n"
    }
    let machine = try machine(files)
    #expect(machine.cores.first?.megahertz == 2400)
    #expect(machine.cores.last == Machine.Cores(count: 2, megahertz: 1800, name: "Cortex-A55"))
    #expect(machine.cores.contains { $0.name == "part 0xfff" })
  }

  @Test(arguments: [
    (
      ["/service/memory.max": "1073741824\n", "/service/memory.current": "1000\n"],
      Machine.MemoryLimit.limited(1 << 30, used: 1000)
    ),
    (["/service/memory.max": "max\n"], .unlimited),
    // The group above is the tighter one.
    (
      [
        "/memory.max": "500\n", "/memory.current": "7\n", "/service/memory.max": "1000\n",
        "/service/memory.current": "1\n",
      ], .limited(500, used: 7)
    ),
  ])
  func memoryGroups(files: [String: String], expected: Machine.MemoryLimit) throws {
    var all = [
      "/proc/self/cgroup": "0::/service\n", "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
      "/proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
    ]
    for (path, text) in files { all["/sys/fs/cgroup" + path] = text }
    #expect(try machine(all).memoryLimit == expected)
  }

  /// As systemd mounts both versions: the memory controller belongs to the first, and version 2 has none.
  @Test func memoryGroupsOfBothVersions() throws {
    var files = [
      "/proc/self/cgroup": "4:memory:/service\n1:cpu:/\n0::/\n",
      "/proc/self/mounts": "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
        + "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n"
        + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n",
      "/sys/fs/cgroup/unified/cgroup.controllers": "\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/service/memory.limit_in_bytes": "9223372036854771712\n",
    ]
    #expect(try machine(files).memoryLimit == .unlimited)
    files["/sys/fs/cgroup/memory/service/memory.limit_in_bytes"] = "2000\n"
    files["/sys/fs/cgroup/memory/service/memory.usage_in_bytes"] = "900\n"
    files["/sys/fs/cgroup/memory/service/memory.stat"] = "total_inactive_file 300\ntotal_active_file 100\n"
    #expect(try machine(files).memoryLimit == .limited(2000, used: 500))
    // Without the controller of version 1 there is none.
    files["/proc/self/mounts"] = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n"
    #expect(try machine(files).memoryLimit == .unavailable)
  }

  /// File pages that were just read are in memory.current before they are in memory.stat.
  @Test func lateStatistics() throws {
    let group = "/sys/fs/cgroup/service"
    var files = [
      "/proc/self/cgroup": "0::/service\n",
      "/proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
      "/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
      group + "/memory.max": "9000\n",
      group + "/memory.current": "6000\n",
      group + "/memory.stat":
        "anon 700\nfile 1100\nkernel 300\nshmem 100\ninactive_file 600\nactive_file 400\n",
    ]
    #expect(try machine(files).memoryLimit == .limited(9000, used: 1100))
    // Older kernels do not say what they take themselves.
    files[group + "/memory.stat"] = "anon 700\nfile 1100\nshmem 100\ninactive_file 600\nactive_file 400\n"
    #expect(try machine(files).memoryLimit == .limited(9000, used: 5000))
  }

  /// Whatever is missing or nonsense is left out.
  @Test func nothingKnown() throws {
    let empty = try machine([:])
    #expect(empty.board == nil && empty.cores.isEmpty && empty.memory == 0 && empty.temperature == nil)
    let odd = try machine([
      "/proc/cpuinfo": ":\n\n:::\nCPU part : 0xd08\nprocessor\n", "/proc/meminfo": "MemTotal: x kB\n\n:",
      "/sys/class/thermal/thermal_zone0/temp": "hot", "/proc/self/cgroup": "0::",
      "/sys/fs/cgroup/cgroup.controllers": "memory", "/proc/self/mounts": "x\n\nc /sys/fs/cgroup cgroup2 rw",
      "/sys/fs/cgroup/memory.max": "-",
    ])
    #expect(odd.memory == 0 && odd.temperature == nil && odd.memoryLimit == .unlimited)
  }

  @Test func thisMachine() {
    let machine = Machine()
    #expect(machine.memory > 0 && machine.pageSize >= 4096 && !machine.cores.isEmpty)
  }

  @Test func storage() throws {
    let speed = try #require(StorageSpeed.measure(try PackedModels.path("nano-mha", .q4)))
    #expect(speed.bytesPerSecond > 0)
    #expect(StorageSpeed.measure("/none") == nil)
  }

}

/// What Linux says on some boards, as paths and texts: made after their device trees and the kernel's documentation, not
/// recorded on boards.
public enum BoardFiles {
  /// A core: ARM's part number, its highest clock in kHz, and what it does in a second, of 1024 for the fastest.
  public struct Core {
    public var part: String
    public var clock: Int?
    public var capacity: Int?

    public init(_ part: String, clock: Int? = nil, capacity: Int? = nil) {
      self.part = part
      self.clock = clock
      self.capacity = capacity
    }
  }

  /// A board with these cores, all of which a program may use.
  public static func cores(_ cores: [Core]) -> [String: String] {
    let all = cores.count == 1 ? "0" : "0-\(cores.count - 1)"
    var files = [
      "/proc/cpuinfo": cores.enumerated().map { index, core in
        "processor\t: \(index)\nFeatures\t: fp asimd crc32\(core.part == "0xd0b" ? " asimddp" : "")\nCPU part\t: \(core.part)\n"
      }.joined(separator: "\n"),
      "/sys/devices/system/cpu/online": all + "\n",
      "/proc/self/status": "Name:\tvl2\nCpus_allowed:\tff\nCpus_allowed_list:\t\(all)\nMems_allowed:\t1\n",
    ]
    for (index, core) in cores.enumerated() {
      let folder = "/sys/devices/system/cpu/cpu\(index)"
      files[folder + "/regs/identification/midr_el1"] = "0x00000000414fd0b1\n"
      if let clock = core.clock {
        files[folder + "/cpufreq/cpuinfo_max_freq"] = "\(clock)\n"
        files[folder + "/cpufreq/scaling_cur_freq"] = "\(clock / 2)\n"
        files[folder + "/cpufreq/scaling_governor"] = "ondemand\n"
      }
      if let capacity = core.capacity { files[folder + "/cpu_capacity"] = "\(capacity)\n" }
    }
    return files
  }

  private static func memory(kilobytes: Int) -> [String: String] {
    [
      "/proc/meminfo":
        "MemTotal: \(kilobytes) kB\nMemAvailable: \(kilobytes / 4 * 3) kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"
    ]
  }

  /// Control groups of version 2, as systemd mounts them.
  public static func controlGroups(_ controllers: String, group: String = "/user.slice/session-1.scope")
    -> [String: String]
  {
    [
      "/proc/self/mounts": "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev 0 0\n",
      "/proc/self/cgroup": "0::\(group)\n", "/sys/fs/cgroup/cgroup.controllers": controllers + "\n",
    ]
  }

  /// Raspberry Pi OS on a Raspberry Pi 4, as it comes: its kernel has the memory controller off.
  public static let pi4 = all(
    cores(.init(repeating: Core("0xd08", clock: 1_800_000, capacity: 1024), count: 4)),
    memory(kilobytes: 3_885_396), controlGroups("cpuset cpu io pids"),
    [
      "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
      "/proc/sys/kernel/osrelease": "6.12.47+rpt-rpi-v8\n",
      "/proc/cmdline": "coherent_pool=1M cgroup_disable=memory console=tty1 root=PARTUUID=1-02 rootwait\n",
      "/sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
      "/sys/class/thermal/thermal_zone0/temp": "61450\n",
    ])

  /// The same on a Raspberry Pi 5, with the controller turned on. Its firmware node has another name.
  public static let pi5 = all(
    cores(.init(repeating: Core("0xd0b", clock: 2_400_000, capacity: 1024), count: 4)),
    memory(kilobytes: 8_255_024), controlGroups("cpuset cpu io memory pids"),
    [
      "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
      "/proc/sys/kernel/osrelease": "6.12.47+rpt-rpi-2712\n",
      "/proc/cmdline": "cgroup_disable=memory console=tty1 rootwait cgroup_enable=memory\n",
      "/sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": "0\n",
      "/sys/class/thermal/thermal_zone0/temp": "48200\n",
    ])

  /// Four Cortex-A55 and two pairs of Cortex-A76, one of which may be clocked higher. Debian's kernel.
  public static let rk3588 = all(
    cores(
      .init(repeating: Core("0xd05", clock: 1_800_000, capacity: 397), count: 4)
        + .init(repeating: Core("0xd0b", clock: 2_352_000, capacity: 1003), count: 2)
        + .init(repeating: Core("0xd0b", clock: 2_400_000, capacity: 1024), count: 2)),
    memory(kilobytes: 16_000_000), controlGroups("cpuset cpu io memory hugetlb pids"),
    [
      "/proc/device-tree/model": "Radxa ROCK 5B\0", "/proc/sys/kernel/osrelease": "6.12.57+deb13-arm64\n",
      "/proc/cmdline": "root=/dev/mmcblk0p3 rootwait\n", "/sys/class/thermal/thermal_zone0/temp": "52000\n",
      "/sys/class/thermal/cooling_device0/type": "cpufreq-cpu4\n",
      "/sys/class/thermal/cooling_device0/cur_state": "0\n",
    ])

  /// Cores of three kinds, as in telephones.
  public static let phone = all(
    cores(
      .init(repeating: Core("0xd05", clock: 1_804_800, capacity: 250), count: 4)
        + .init(repeating: Core("0xd0d", clock: 2_419_200, capacity: 871), count: 3)
        + [Core("0xd0d", clock: 2_841_600, capacity: 1024)]),
    memory(kilobytes: 8_000_000), controlGroups("cpuset cpu io memory pids"),
    ["/proc/sys/kernel/osrelease": "6.12.0-sm8250\n"])

  private static func all(_ parts: [String: String]...) -> [String: String] {
    parts.reduce(into: [:]) { $0.merge($1) { $1 } }
  }
}

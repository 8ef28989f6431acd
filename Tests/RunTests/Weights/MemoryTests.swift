import TestSupport
import Testing
import VL2Run

@Suite struct MemoryTests {
  @Test func sizes() {
    #expect(MemoryChoice("auto") == .automatic)
    #expect(MemoryChoice("1M") == .bytes(1 << 20))
    for text in ["", "M", "-1M", "1.5G", "1T", "1 M", "99999999999999999999", "9999999999G", "0", "AUTO"] {
      #expect(MemoryChoice(text) == nil, "\(text)")
    }
  }

  private func machine(_ files: [String: String]) throws -> Int? {
    try withTemporaryFolder { root in
      try write(files, below: root)
      return AvailableMemory.read(root: root)?.available
    }
  }

  private let free = "MemTotal:  4000000 kB\nMemFree:  100 kB\nMemAvailable:  2000000 kB\n"

  @Test func availableMemory() throws {
    #expect(try machine([:]) == nil)
    #expect(try machine(["/proc/meminfo": free]) == 2_000_000 << 10)
  }

  /// A group of version 2 with a limit above it, and page cache that can go.
  @Test func groupsOfVersion2() throws {
    var files = [
      "/proc/meminfo": free, "/proc/self/cgroup": "0::/a/b\n",
      "/proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
      "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
      "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/b/memory.current": "10\n",
      "/sys/fs/cgroup/a/memory.max": "1000000\n", "/sys/fs/cgroup/a/memory.current": "900000\n",
      "/sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 200000\nactive_file 50000\n",
    ]
    #expect(try machine(files) == 350_000)
    files["/sys/fs/cgroup/a/b/memory.max"] = "50000\n"
    #expect(try machine(files) == 49_990)
  }

  /// Version 1, where inside a container the group's own folder is the mount.
  @Test func groupsOfVersion1() throws {
    let files = [
      "/proc/meminfo": free, "/proc/self/cgroup": "4:memory:/docker/x\n3:cpu:/\n",
      "/proc/self/mounts": "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "5000000\n",
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": "1000000\n",
      "/sys/fs/cgroup/memory/memory.stat": "total_inactive_file 30\ntotal_active_file 20\n",
    ]
    #expect(try machine(files) == 4_000_050)
    var unlimited = files
    unlimited["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712\n"
    #expect(try machine(unlimited) == 2_000_000 << 10)
  }

  /// `ulimit -v`: what the process uses already counts.
  @Test func theLimitOfAddresses() throws {
    func available(_ limit: String) throws -> Int? {
      try machine([
        "/proc/meminfo": free, "/proc/self/status": "Name:\tvl2\nVmPeak:\t  900 kB\nVmSize:\t  400000 kB\n",
        "/proc/self/limits": "Limit    Soft Limit   Hard Limit   Units\n"
          + "Max address space         \(limit)           unlimited            bytes     \n",
      ])
    }
    #expect(try available("unlimited") == 2_000_000 << 10)
    #expect(try available("1024000000") == 1_024_000_000 - 400_000 << 10)
    #expect(try available("1000") == 0)
    #expect(try available("99999999999") == 2_000_000 << 10)
  }
}

import Foundation
import TestSupport
import Testing
import VL2Base
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
      for (path, text) in files {
        let url = URL(fileURLWithPath: root + path)
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
      }
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

  private let vl2 = Tool("vl2")

  @Test func budgetOnTheCommandLine() throws {
    try withTemporaryFolder { try budgetOnTheCommandLine(cache: $0) }
  }

  private func budgetOnTheCommandLine(cache: String) throws {
    let model = try PackedModels.path("nano-mha", .q4)
    func ask(_ memory: String) throws -> ToolRun {
      try vl2.run(
        [
          "ask", "--model", model, "--memory", memory, "--max-tokens", "8", "--json",
          Fixtures.path("golden/images/wide.jpg"), "What is it?",
        ], environment: ["XDG_CACHE_HOME": cache])
    }
    let small = try ask("1M")
    #expect(small.status == 69 && small.output.isEmpty, "\(small.errors)")
    #expect(small.errors.split(separator: "\n").count == 1)
    // The refusal names a budget that works.
    let words = small.errors.split(whereSeparator: { $0 == " " || $0 == "\n" })
    let smallest = String(try #require(words.last))
    #expect(MemoryChoice(smallest) != nil, "\(small.errors)")
    let bytes = try #require(ByteSize(smallest)).bytes
    let plain = try ask("auto")
    #expect(plain.status == 0, "\(plain.errors)")
    func object(_ run: ToolRun) throws -> [String: Any] {
      try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    }
    let weights = try object(plain)["weights"] as? [String: Any]
    #expect(weights?["budget_bytes"] == nil && (weights?["experts_touched"] as? Int ?? 0) > 0)

    // A photo needs a little more than the smallest, and one process a little more than another; a refusal says how
    // much.
    var run = try ask(smallest)
    if run.status != 0 {
      #expect(run.status == 69, "\(run.errors)")
      let sizes = run.errors.split(whereSeparator: { " ,:\n".contains($0) }).compactMap {
        ByteSize(String($0))?.bytes
      }
      let needed = try #require(sizes.max())
      #expect(needed > bytes, "\(run.errors)")
      run = try ask("\(needed >> 20 + 1)M")
    }
    #expect(run.status == 0, "\(run.errors)")
    #expect(try object(run)["answer"] as? String == object(plain)["answer"] as? String)

    // What is remembered of speeds is another thing with less memory.
    let speeds = try Data(contentsOf: URL(fileURLWithPath: cache + "/vl2/speeds.json"))
    let known = try JSONDecoder().decode([String: SpeedEstimate].self, from: speeds)
    #expect(known.count == 2 && known.keys.filter { $0.contains(" memory ") }.count == 1, "\(known.keys)")

    let wrong = try ask("1T")
    #expect(wrong.status == 64 && wrong.errors.contains("'1T' is invalid for '--memory <size>'"))
  }
}

import TestSupport
import Testing
import VL2Base

@Suite struct ProcessorsTests {
  private func processors(_ files: [String: String], _ more: [String: String] = [:]) throws -> Processors {
    try withTemporaryFolder { root in
      try write(files.merging(more) { $1 }, below: root)
      return Processors(root: root)
    }
  }

  private func status(_ list: String) -> [String: String] {
    ["/proc/self/status": "Name:\tvl2\nCpus_allowed_list:\t\(list)\n"]
  }

  private func group(_ files: [String: String]) -> [String: String] {
    BoardFiles.controlGroups("cpu memory", group: "/system.slice/vl2.service").merging(
      files.map { ("/sys/fs/cgroup" + $0, $1) }
    ) { $1 }
  }

  @Test func boards() throws {
    for files in [BoardFiles.pi4, BoardFiles.pi5] {
      let board = try processors(files)
      #expect(board.allowed == [0, 1, 2, 3] && board.fast == board.allowed && board.online == 4)
      #expect(board.count == 4 && board.answering == 4 && board.quota == nil)
      // Where all are alike, nothing is kept anywhere.
      for threads in 1...8 { #expect(board.place(for: threads) == nil) }
    }
    for files in [BoardFiles.rk3588, BoardFiles.phone] {
      let board = try processors(files)
      #expect(board.allowed == Array(0...7) && board.fast == [4, 5, 6, 7])
      #expect(board.count == 8 && board.answering == 4)
      for threads in 1...4 { #expect(board.place(for: threads) == [4, 5, 6, 7]) }
      // Whoever asks for more threads gets the slow ones, too.
      #expect(board.place(for: 5) == nil && board.place(for: 8) == nil)
    }
  }

  /// What a program may not run on does not count, whatever it could do.
  @Test func affinity() throws {
    let slow = try processors(BoardFiles.rk3588, status("0-3"))
    #expect(slow.allowed == [0, 1, 2, 3] && slow.fast == slow.allowed && slow.answering == 4)
    #expect(slow.online == 8 && slow.place(for: 4) == nil)
    let mixed = try processors(BoardFiles.rk3588, status("2-5"))
    #expect(mixed.count == 4 && mixed.fast == [4, 5] && mixed.answering == 2)
    #expect(mixed.place(for: 2) == [4, 5] && mixed.place(for: 3) == nil)
    let single = try processors(BoardFiles.pi4, status("1,3"))
    #expect(single.allowed == [1, 3] && single.answering == 2)
    // Some of them may be switched off.
    let few = try processors(BoardFiles.pi5, ["/sys/devices/system/cpu/online": "0,2\n"])
    #expect(few.allowed == [0, 2] && few.online == 2)
  }

  /// Without capacities, as older kernels are, highest clocks say which are fast: on ARM alone.
  @Test func clocks() throws {
    func cores(_ clocks: [Int]) -> [String: String] {
      BoardFiles.cores(clocks.map { BoardFiles.Core("0xd0b", clock: $0) })
    }
    let mixed = cores([1_800_000, 1_800_000, 2_400_000, 2_352_000])
    #expect(try processors(mixed).fast == [2, 3])
    let equal = mixed.merging(
      (0..<4).map { ("/sys/devices/system/cpu/cpu\($0)/cpu_capacity", "1024\n") }
    ) { $1 }
    #expect(try processors(equal).fast == [2, 3])
    let other = mixed.filter { !$0.key.contains("midr_el1") }
    #expect(try processors(other).fast == [0, 1, 2, 3])
    #expect(try processors(cores([2_400_000, 2_200_000])).fast == [0, 1])
  }

  /// The smallest share on the way up counts, and is rounded to whole threads.
  @Test func quotas() throws {
    func quota(_ files: [String: String]) throws -> (Double?, Int) {
      let processors = try processors(BoardFiles.pi5, group(files))
      return (processors.quota, processors.answering)
    }
    #expect(try quota([:]) == (nil, 4))
    #expect(try quota(["/system.slice/vl2.service/cpu.max": "max 100000\n"]) == (nil, 4))
    #expect(try quota(["/system.slice/vl2.service/cpu.max": "200000 100000\n"]) == (2, 2))
    #expect(try quota(["/system.slice/vl2.service/cpu.max": "150000 100000\n"]) == (1.5, 2))
    #expect(try quota(["/system.slice/vl2.service/cpu.max": "140000 100000\n"]) == (1.4, 1))
    #expect(try quota(["/system.slice/vl2.service/cpu.max": "10000 100000\n"]) == (0.1, 1))
    #expect(try quota(["/system.slice/vl2.service/cpu.max": "6400000 100000\n"]) == (64, 4))
    #expect(
      try quota([
        "/system.slice/vl2.service/cpu.max": "300000 100000\n", "/system.slice/cpu.max": "50000 25000\n",
        "/cpu.max": "max 100000\n",
      ]) == (2, 2))
    for text in ["", "x", "0 0\n", "100000\n", "-1 100000\n", "nan 1\n", "100000 0\n", "1e308 1e-308"] {
      let (_, threads) = try quota(["/system.slice/vl2.service/cpu.max": text])
      #expect(threads == 4, "\(text)")
    }
    // It leaves fast ones as many as it leaves.
    let fast = try processors(
      BoardFiles.rk3588, group(["/system.slice/vl2.service/cpu.max": "300000 100000\n"]))
    #expect(fast.count == 3 && fast.answering == 3 && fast.place(for: 3) == [4, 5, 6, 7])
    // Without the controller nothing is limited.
    let without = BoardFiles.controlGroups("memory", group: "/a").merging(
      ["/sys/fs/cgroup/a/cpu.max": "100000 100000\n"]) { $1 }
    #expect(try processors(BoardFiles.pi5, without).quota == nil)
  }

  @Test func quotasOfVersion1() throws {
    var files = [
      "/proc/self/mounts": "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n",
      "/proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/docker/x\n0::/\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us": "250000\n",
      "/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000\n",
    ]
    #expect(try processors(BoardFiles.pi4, files).quota == 2.5)
    files["/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us"] = "-1\n"
    #expect(try processors(BoardFiles.pi4, files).quota == nil)
  }

  /// Whatever is missing or nonsense is left out; one processor there always is.
  @Test func nothingKnown() throws {
    #expect(
      try processors([:]) == processors(["/sys/devices/system/cpu/online": "9999999999,3-1,-2,x-y,1-2-3"]))
    #expect(try processors([:]).allowed == [0])
    let odd = try processors(
      BoardFiles.pi4,
      ["/sys/devices/system/cpu/cpu2/cpu_capacity": "many\n"].merging(status("0-90000")) { $1 })
    #expect(odd.allowed == [0, 1, 2, 3] && odd.fast == odd.allowed)
  }

  /// Of this machine: what the system says of this process.
  @Test func thisMachine() {
    let processors = Processors.system
    #expect(!processors.allowed.isEmpty && processors.count >= 1 && processors.answering <= processors.count)
    #expect(Set(processors.fast).isSubset(of: processors.allowed))
    #expect(processors.allowed == Processors.affinity(ofProcess: true))
  }

  /// A thread that is kept on a processor stays there, and others do not.
  @Test func keptThread() throws {
    let last = try #require(Processors.system.allowed.last)
    let found = Monitor<[Int]?>(nil)
    try SystemThread.start("kept") {
      let isKept = Processors.keepThisThread(on: [last])
      found.change { $0 = isKept ? Processors.affinity(ofProcess: false) : [] }
    }
    #expect(found.wait { $0 } == [last])
    #expect(Processors.affinity(ofProcess: true) == Processors.system.allowed)
    #expect(!Processors.keepThisThread(on: []))
  }
}

import Glibc
import TestModels
import TestSupport
import Testing
import VL2Measure

/// Limits that are limits, and measurements that end.
@Suite struct BenchLimitTests {
  /// Nobody reads faster than reading allows: writing that does has found a faster way.
  @Test func readingIsNeverSlowerThanWriting() {
    let slower = Benchmark.reading(read: [20, 10, 40], written: [10, 8, 30])
    #expect(slower.bytesPerSecond == 20 && slower.share == 0.75 && !slower.isOfWriting)
    let faster = Benchmark.reading(read: [10, 10, 10], written: [11, 11, 11])
    #expect(faster.bytesPerSecond == 11 && faster.share == 1 && faster.isOfWriting)
  }

  @Test func repetitions() {
    var count = 0
    func next() -> Double {
      count += 1
      return Double(count)
    }
    // The first one does not count.
    #expect(Repetition(runs: 3).values(next) == [2, 3, 4])
    count = 0
    #expect(Repetition(runs: 3).median(next) == 3)
    // No time is left after the first one, which has to do then.
    count = 0
    #expect(Repetition(runs: 3, seconds: 0).values(next) == [1])
    // Time is left.
    count = 0
    #expect(Repetition(runs: 2, seconds: 1e6).values(next) == [2, 3])
  }

  private func cache(_ files: [String: String], cores: Int) throws -> Int? {
    try withTemporaryFolder { folder in
      let board = BoardFiles.cores(
        .init(repeating: .init("0xd0b", clock: 2_400_000, capacity: 1024), count: cores))
      try write(board.merging(files) { $1 }, below: folder)
      return LastLevelCache(root: folder).bytes
    }
  }

  private func level(
    _ cpu: Int, _ index: Int, _ level: Int, _ type: String, _ size: String, _ shared: String
  ) -> [String: String] {
    let folder = "/sys/devices/system/cpu/cpu\(cpu)/cache/index\(index)/"
    return [
      folder + "level": "\(level)\n", folder + "type": type + "\n", folder + "size": size + "\n",
      folder + "shared_cpu_list": shared + "\n",
    ]
  }

  @Test func lastLevelCaches() throws {
    // A Raspberry Pi 5: 512 KiB each, 2 MiB for all four.
    var files: [String: String] = [:]
    for cpu in 0..<4 {
      files.merge(level(cpu, 0, 1, "Data", "64K", "\(cpu)")) { $1 }
      files.merge(level(cpu, 1, 1, "Instruction", "64K", "\(cpu)")) { $1 }
      files.merge(level(cpu, 2, 2, "Unified", "512K", "\(cpu)")) { $1 }
      files.merge(level(cpu, 3, 3, "Unified", "2048K", "0-3")) { $1 }
    }
    #expect(try cache(files, cores: 4) == 2 << 20)
    // Two groups of cores with a cache each.
    files = [:]
    for cpu in 0..<4 {
      files.merge(level(cpu, 2, 3, "Unified", "32768K", cpu < 2 ? "0-1" : "2-3")) { $1 }
    }
    #expect(try cache(files, cores: 4) == 64 << 20)
    // Nothing, and nonsense.
    #expect(try cache([:], cores: 1) == nil)
    #expect(try cache(level(0, 0, 1, "Data", "much", "0"), cores: 1) == nil)
  }

  @Test func heat() throws {
    let record = HeatRecord(every: 0.001) { Heat(temperature: 50, clock: 1500) }
    while record.looks.count < 3 { usleep(1000) }
    record.end()
    let count = record.looks.count
    #expect(record.looks.allSatisfy { $0 == Heat(temperature: 50, clock: 1500) })
    usleep(5000)
    // After the end nothing is added.
    #expect(record.looks.count == count)
  }

  @Test func heatOfBoards() throws {
    try withTemporaryFolder { folder in
      try write(
        BoardFiles.rk3588.merging([
          "/sys/class/thermal/thermal_zone7/temp": "71500\n",
          "/sys/class/thermal/cooling_device9/type": "cpufreq-cpu4\n",
          "/sys/class/thermal/cooling_device9/cur_state": "2\n",
        ]) { $1 }, below: folder)
      #expect(
        Heat(root: folder, processors: [4, 5, 6, 7])
          == Heat(temperature: 71.5, clock: 1200, isHeldBack: true))
      #expect(Heat(root: folder + "/nothing", processors: [0]) == Heat())
    }
  }
}

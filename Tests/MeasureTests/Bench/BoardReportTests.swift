import Foundation
import TestModels
import TestSupport
import Testing
import VL2Measure
import VL2Run

/// The block that `vl2 bench --report` makes of what a board says and of what was measured.
@Suite struct BoardReportTests {
  private func machine(_ files: [String: String], _ more: [String: String] = [:]) throws -> Machine {
    try withTemporaryFolder { folder in
      try write(files.merging(more) { $1 }, below: folder)
      return Machine(root: folder)
    }
  }

  private func measured() throws -> (benchmark: Benchmark, hash: String) {
    var hash = ""
    let benchmark = try Benchmark(
      runs: 1,
      open: {
        let model = try Model(
          path: try PackedModels.path("nano-mha", .q4), options: RuntimeOptions(threads: 1))
        hash = model.file.manifestHash
        return model
      }, progress: { _ in })
    return (benchmark, hash)
  }

  private let throttled = "/sys/devices/platform/soc/soc:firmware/get_throttled"

  @Test func raspberryPi4GetsHot() throws {
    let (benchmark, hash) = try measured()
    let cool = ["/sys/class/thermal/thermal_zone0/temp": "48000\n", throttled: "0\n"]
    let before = try machine(
      BoardFiles.pi4,
      cool.merging(["/etc/os-release": "NAME=\"x\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n"]) { $1 })
    let after = try machine(
      BoardFiles.pi4,
      ["/sys/class/thermal/thermal_zone0/temp": "81900\n", throttled: "60006\n"])
    let looks = [
      Heat(temperature: 48, clock: 1800), Heat(temperature: 79.6, clock: 1800),
      Heat(temperature: 82, clock: 1000, isHeldBack: true), Heat(temperature: 82.4, clock: 1200),
    ]
    let report = BoardReport(
      benchmark,
      model: .init(
        path: "/home/somebody/tiny|1.vl2q", bytes: 5 << 20,
        speed: StorageSpeed(bytesPerSecond: 45e6, isFromMemory: false),
        device: StorageDevice(kind: "microSD or SD card", name: "mmcblk0, SC64G")),
      manifestHash: hash, before: before, after: after, looks: looks, seconds: 314)
    let text = report.markdown
    let lines = Set(text.split(separator: "\n").map(String.init))
    for line in [
      "| board | Raspberry Pi 4 Model B Rev 1.4 |", "| system | Debian GNU/Linux 13 (trixie) |",
      "| kernel | 6.12.47+rpt-rpi-v8 |", "| cores | 4 x Cortex-A72 at 1800 MHz |",
      "| storage | microSD or SD card (mmcblk0, SC64G), 45 MB/s |",
      "| model | tiny\\|1.vl2q, 5 MiB, SHA-256 of its manifest \(hash) |",
      "| temperature, degrees Celsius | 48 | 48 to 82 | 82 |",
      "| clock, MHz | 900 | 1000 to 1800, lower than that in 2 of 4 looks | 900 |",
      "| throttling | none since the start | the system lowered the clock in 1 of 4 looks | now: the clock is capped, throttled |",
    ] {
      #expect(lines.contains(line), "\(line)\n\(text)")
    }
    #expect(hash.count == 64)
    #expect(!text.contains("somebody"))
    // Each figure of the benchmark, with its limit and its share.
    for row in benchmark.rows {
      #expect(lines.contains("| " + row.joined(separator: " | ") + " |"), "\(row)")
    }
    #expect(benchmark.rows.filter { $0[3].hasSuffix(" %") }.count == 5)
    #expect(text.contains("Weights are read fastest \(benchmark.readWay)."))
    #expect(text.contains("1 thread, \(benchmark.isa), one run, 314 s for all of it"))
    // Every table is one of Markdown: as many cells in each line as in its header.
    for table in text.components(separatedBy: "\n\n") where table.hasPrefix("|") {
      let bars = table.split(separator: "\n").map { line in
        line.replacingOccurrences(of: "\\|", with: "").filter { $0 == "|" }.count
      }
      #expect(Set(bars).count == 1, "\(table)")
    }
  }

  /// What a system does not say is said to be unknown.
  @Test func nothingKnown() throws {
    let (benchmark, hash) = try measured()
    let bare = try machine(["/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 1000 kB\n"])
    let report = BoardReport(
      benchmark, model: .init(path: "a.vl2q", bytes: 1, speed: nil, device: nil), manifestHash: hash,
      before: bare, after: bare, looks: [], seconds: 1)
    #expect(report.markdown.contains("| temperature, degrees Celsius | unknown | unknown | unknown |"))
    #expect(report.markdown.contains("| throttling | not told |  | not told |"))
    #expect(report.markdown.contains("| storage | not measured |"))
  }

  /// Packing again gives the same identity; other weights another one.
  @Test func manifestHash() throws {
    let first = try PackedModels.file("nano-mha", .q4).manifestHash
    #expect(first == (try PackedModels.file("nano-mha", .q4).manifestHash))
    #expect(first != (try PackedModels.file("nano-mla", .q4).manifestHash))
  }
}

import Foundation
import TestSupport
import Testing
import VL2Measure

/// What `vl2 doctor` says of boards.
@Suite struct MachineReportTests {
  private func machine(_ files: [String: String], _ more: [String: String] = [:]) throws -> Machine {
    try withTemporaryFolder { folder in
      try write(files.merging(more) { $1 }, below: folder)
      return Machine(root: folder)
    }
  }

  private func report(_ files: [String: String], _ more: [String: String] = [:]) throws -> MachineReport {
    MachineReport(try machine(files, more))
  }

  private func row(_ name: String, _ report: MachineReport) -> String? {
    report.rows.first { $0.name == name }?.value
  }

  // MARK: cores

  @Test func coresOfBoards() throws {
    let pi4 = try report(BoardFiles.pi4)
    #expect(row("board", pi4) == "Raspberry Pi 4 Model B Rev 1.4")
    #expect(row("kernel", pi4) == "6.12.47+rpt-rpi-v8")
    #expect(row("cores", pi4) == "4 x Cortex-A72 at 1800 MHz")
    #expect(row("usable", pi4) == "4, which is the default of --threads")
    #expect(row("clock", pi4) == "900 MHz now")

    let rk3588 = try report(BoardFiles.rk3588)
    #expect(
      row("cores", rk3588)
        == "2 x Cortex-A76 at 2400 MHz (capacity 1024), 2 x Cortex-A76 at 2352 MHz (capacity 1003), 4 x Cortex-A55 at 1800 MHz (capacity 397)"
    )
    #expect(row("usable", rk3588) == "4, which is the default of --threads (fast: 4-7 of 0-7)")
    // Of the fast ones.
    #expect(row("clock", rk3588) == "1200 MHz now")
    #expect(
      rk3588.advice.isEmpty || rk3588.advice.allSatisfy { $0.contains("fast kernels") }, "\(rk3588.advice)")

    let phone = try report(BoardFiles.phone)
    #expect(row("usable", phone) == "4, which is the default of --threads (fast: 4-7 of 0-7)")
    #expect(
      row("cores", phone)?.hasPrefix("1 x Cortex-A77 at 2841 MHz (capacity 1024), 3 x Cortex-A77") == true)
  }

  @Test func limitsOfProcessors() throws {
    let some = try report(BoardFiles.rk3588, ["/proc/self/status": "Cpus_allowed_list:\t0,2-3,6\n"])
    #expect(
      row("usable", some)
        == "1, which is the default of --threads (fast: 6 of 0,2-3,6; this program may run on 4 of 8 processors)"
    )
    let files = BoardFiles.pi5.merging(["/sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n"]) { $1 }
    #expect(
      row("usable", try report(files))
        == "2, which is the default of --threads (its control group has the time of 1.5 processors)")
  }

  // MARK: memory

  private let fix =
    "To limit the memory of a service, add 'cgroup_enable=memory' to the end of the one line in /boot/firmware/cmdline.txt and start again."

  @Test func memoryController() throws {
    let pi4 = try report(BoardFiles.pi4)
    #expect(row("cgroup", pi4) == "no memory controller: this system cannot limit a program's memory")
    #expect(pi4.advice.contains(fix))
    #expect(try !report(BoardFiles.pi5).advice.contains { $0.contains("limit the memory") })

    // A kernel that does not heed the word is too old.
    let old = try report(
      BoardFiles.pi4, ["/proc/cmdline": "cgroup_disable=memory rootwait cgroup_enable=memory\n"])
    #expect(
      !old.advice.contains(fix) && old.advice.contains { $0.contains("sudo apt full-upgrade") },
      "\(old.advice)")

    // Debian's kernel knows no such word, on a Raspberry Pi neither.
    let debian = try report(BoardFiles.pi4, ["/proc/sys/kernel/osrelease": "6.12.57+deb13-arm64\n"])
    #expect(debian.advice.contains { $0.contains("take 'cgroup_disable=memory' off") }, "\(debian.advice)")
    #expect(!debian.advice.contains(fix))

    // /proc/cgroups lists it or not: it does not count.
    let lists = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t1\t1\n"
    #expect(try report(BoardFiles.pi4, ["/proc/cgroups": lists]).advice.contains(fix))

    // Somebody else's kernel without it is told, too; a system without control groups, a container, needs no advice.
    let without = try report(BoardFiles.rk3588, ["/sys/fs/cgroup/cgroup.controllers": "cpu pids\n"])
    #expect(without.advice.contains { $0.contains("CONFIG_MEMCG") }, "\(without.advice)")
    let container = try report(BoardFiles.rk3588, ["/proc/self/mounts": "proc /proc proc rw 0 0\n"])
    #expect(row("cgroup", container)?.hasPrefix("no memory controller") == true)
    #expect(!container.advice.contains { $0.contains("memory") }, "\(container.advice)")
  }

  @Test func swap() throws {
    let memory =
      "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\nSwapTotal: 2202004 kB\nSwapFree: 500000 kB\n"
    let swaps =
      "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
      + "/dev/zram0                              partition\t2097152\t\t1600000\t\t100\n"
      + "/var/swap                               file\t\t104852\t\t0\t\t-2\nnonsense\n/x file -1 0 0\n"
    let report = try report(BoardFiles.pi5, ["/proc/meminfo": memory, "/proc/swaps": swaps])
    #expect(
      row("swap", report)
        == "2 GiB in compressed memory (/dev/zram0), 102 MiB in /var/swap, 488 MiB free")
    #expect(report.advice.contains { $0.contains("More than half of the swap") })
    #expect(row("swap", try self.report(BoardFiles.pi5)) == "none")
  }

  // MARK: heat and power

  @Test(arguments: [
    (0, "none since the start", 0), (0x50005, "now: too low a voltage, throttled", 1),
    (0x50000, "none now; since the start: too low a voltage, throttled", 1),
    (0xE0008, "now: the soft limit of temperature", 1), (0x40000, "none now; since the start: throttled", 1),
    (0xD000F, "now: too low a voltage, the clock is capped, throttled, the soft limit of temperature", 2),
  ])
  func throttling(bits: Int, text: String, advice: Int) throws {
    let file = "/sys/devices/platform/soc/soc:firmware/get_throttled"
    let files = BoardFiles.pi4.merging(
      [file: String(bits, radix: 16) + "\n", "/sys/class/thermal/thermal_zone0/temp": "60000\n"]) { $1 }
    let report = try report(files)
    #expect(row("throttling", report) == text)
    let lines = report.advice.filter { $0.contains("slow") && $0.contains("board") }
    #expect(lines.count == advice, "\(report.advice)")
    #expect(lines.contains { $0.contains("power supply") } == (bits & 0x10001 != 0))
  }

  @Test func whereTheFirmwareSaysIt() throws {
    #expect(row("throttling", try report(BoardFiles.pi5)) == "none since the start")
    #expect(row("throttling", try report(BoardFiles.rk3588)) == nil)
    let held = try report(
      BoardFiles.rk3588, ["/sys/class/thermal/cooling_device0/cur_state": "3\n"])
    #expect(row("throttling", held) == "now: the system lowers the clock for heat")
    #expect(held.advice.contains { $0.contains("heat sink") })
    let fan = try report(
      BoardFiles.rk3588,
      [
        "/sys/class/thermal/cooling_device1/type": "pwm-fan\n",
        "/sys/class/thermal/cooling_device1/cur_state": "3\n",
      ])
    #expect(row("throttling", fan) == nil)
    let hot = try report(BoardFiles.rk3588, ["/sys/class/thermal/thermal_zone0/temp": "81000\n"])
    #expect(hot.advice.contains { $0.contains("It is hot") })
    let text = "/sys/devices/platform/soc/soc:firmware/get_throttled"
    for odd in ["", "zz", "-1", "0xfffffffffffffffffffff"] {
      #expect(row("throttling", try report(BoardFiles.pi4, [text: odd])) == nil, "\(odd)")
    }
  }

  // MARK: cameras, storage, service

  @Test func cameras() throws {
    func node(_ number: Int, _ name: String, _ driver: String, _ index: Int = 0) -> [String: String] {
      let folder = "/sys/class/video4linux/video\(number)"
      return [
        folder + "/name": name + "\n", folder + "/index": "\(index)\n",
        folder + "/device/uevent": "DEVTYPE=usb_interface\nDRIVER=\(driver)\n", "/dev/video\(number)": "",
      ]
    }
    let files = [
      node(0, "HD Webcam C270: HD Webcam C270", "uvcvideo"),
      node(1, "HD Webcam C270: HD Webcam C270", "uvcvideo", 1),
      node(10, "bcm2835-codec-decode", "bcm2835-codec"), node(13, "bcm2835-isp-output0", "bcm2835-isp"),
      node(2, "unicam-image", "unicam"), node(3, "unicam-embedded", "unicam"),
      node(4, "vivid-000-vid-cap", "vivid"),
    ].reduce(into: BoardFiles.pi4) { $0.merge($1) { $1 } }
    try withTemporaryFolder { folder in
      var status = stat()
      try write(files, below: folder)
      #expect(stat(folder + "/dev/video0", &status) == 0)
      try write(["/etc/group": "others:x:999999:\nvideo:x:\(status.st_gid):pi\n"], below: folder)
      let machine = Machine(root: folder)
      #expect(machine.cameras.map(\.path) == ["/dev/video0", "/dev/video2", "/dev/video3", "/dev/video4"])
      #expect(machine.cameras.map(\.kind) == [.usb, .connector, .connector, .other])
      #expect(machine.cameras.allSatisfy { $0.isOpen && $0.group == "video" })
      let report = MachineReport(machine)
      #expect(
        report.rows.filter { $0.name == "camera" }.map(\.value) == [
          "/dev/video0: HD Webcam C270: HD Webcam C270 (USB), group video",
          "/dev/video4: vivid-000-vid-cap, group video",
          "on the camera connector (unicam-image): 'command:rpicam-vid ...' of vl2 watch",
        ])
      // Who is not in the group is told how to get there.
      var closed = machine
      closed.cameras[0].isOpen = false
      let told = MachineReport(closed)
      #expect(
        told.advice.contains("To read /dev/video0: 'sudo usermod -aG video $USER', then log in again."))
      #expect(
        told.rows.contains { $0.value.hasSuffix("(USB), group video, which this user is not in") })
    }
    // In a container there may be no node.
    let nodes = files.filter { !$0.key.hasPrefix("/dev/") }
    #expect(try report(nodes).rows.contains { $0.value.hasSuffix("(USB), but there is no such node here") })
    #expect(try !report(nodes).advice.contains { $0.contains("usermod") })
  }

  /// A tree of /sys with its links.
  @Test func storage() throws {
    try withTemporaryFolder { folder in
      func device(_ numbers: String, _ path: String, _ files: [String: String]) throws {
        try write(files, below: folder + "/sys/devices" + path)
        let links = folder + "/sys/dev/block"
        try FileManager.default.createDirectory(atPath: links, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
          atPath: links + "/" + numbers, withDestinationPath: "../../devices" + path)
      }
      let card = "/platform/emmc2bus/mmc0/mmc0:aaaa/block/mmcblk0"
      try write(["/device/type": "SD\n", "/device/name": "SC64G\n"], below: folder + "/sys/devices" + card)
      try device("179:2", card + "/mmcblk0p2", ["/partition": "2\n"])
      try device("259:1", "/pci0/nvme/nvme0/nvme0n1", ["/device/model": "Disk 980   \n"])
      try device("8:0", "/usb2/2-1/host0/block/sda", ["/queue/rotational": "1\n"])
      try device("179:8", "/mmc1/block/mmcblk1", ["/device/type": "MMC\n"])
      func found(_ major: Int, _ minor: Int) -> StorageDevice? {
        StorageDevice(major: major, minor: minor, root: folder)
      }
      #expect(found(179, 2) == StorageDevice(kind: "microSD or SD card", name: "mmcblk0, SC64G"))
      #expect(found(259, 1) == StorageDevice(kind: "NVMe disk", name: "nvme0n1, Disk 980"))
      #expect(found(8, 0) == StorageDevice(kind: "USB disk, turning", name: "sda"))
      #expect(found(179, 8) == StorageDevice(kind: "eMMC", name: "mmcblk1"))
      #expect(found(0, 40) == nil)
    }
    let model = MachineReport.Model(
      path: "/tiny.vl2q", bytes: 100_000_000_000,
      speed: StorageSpeed(bytesPerSecond: 41e6, isFromMemory: false),
      device: StorageDevice(kind: "microSD or SD card", name: "mmcblk0"))
    let report = MachineReport(try machine(BoardFiles.pi4), model: model)
    #expect(row("storage", report) == "microSD or SD card (mmcblk0), 41 MB/s")
    #expect(report.advice.contains { $0.contains("The storage is slow for that") })
    #expect(StorageDevice(of: "/none") == nil && StorageDevice(of: "/proc/self/status") == nil)
  }

  @Test func services() throws {
    func rows(_ services: [ServiceState]?) throws -> ([String], [String]) {
      let report = MachineReport(try machine(BoardFiles.pi5), services: services)
      return (report.rows.filter { $0.name == "service" }.map(\.value), report.advice)
    }
    let shown = [
      "Result=oom-kill\nNRestarts=3\nMemoryMax=524288000\nId=vl2.service\nLoadState=loaded\nActiveState=failed\nUnitFileState=enabled\n",
      "Result=success\nMemoryMax=infinity\nId=vl2-kiosk.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n",
      "Id=vl3.service\nLoadState=not-found\nActiveState=inactive\n",
    ]
    let (both, advice) = try rows(ServiceState.all(shown.joined(separator: "\n")))
    #expect(
      both == [
        "vl2.service is failed, enabled, for oom-kill, started again 3 times, memory limited to 500 MiB",
        "vl2-kiosk.service is inactive, disabled",
      ])
    #expect(
      advice.filter { $0.contains("failed") } == [
        "vl2.service failed: 'journalctl -u vl2.service -n 20' says why."
      ])
    #expect(try rows(ServiceState.all(shown[2])).0 == ["not installed"])
    #expect(ServiceState.all("").isEmpty && ServiceState.all("\n\nx\n=\n\n").isEmpty)
    #expect(try rows(nil).0.isEmpty)
  }
}

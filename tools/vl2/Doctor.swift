import ArgumentParser
import FoundationEssentials
import Glibc
import VL2Base
import VL2Console
import VL2Measure
import VL2Run

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Looks at this computer, and says what slows a model down on it.",
    discussion: """
      With a model it also measures how fast its file can be read, and whether it fits into memory.

        vl2 doctor --model tiny.vl2q
      """)

  @Option(
    help: ModelFile.help, completion: .file(extensions: ["vl2q"]))
  var model: String?

  func run() throws {
    let path = try ModelFile.path(model)
    let size = try path.map { try Self.fileSize($0) }
    let machine = Machine()
    let storage = path.flatMap { StorageSpeed.measure($0) }
    var rows = Self.rows(machine)
    if let path, let size {
      rows.append(("model", "\(path), \(Self.size(size))"))
      rows.append(("storage", storage.map(Self.text) ?? "not measured"))
    }
    var table = TextTable(alignment: "ll")
    for (name, value) in rows { table.append([Terminal.styled(name, .faint), UntrustedText.line(value)]) }
    var text = table.lines
    let advice = Self.advice(machine, modelSize: size, storage: storage)
    text.append("")
    text +=
      advice.isEmpty
      ? [Terminal.styled("Nothing to change.", .green)] : advice.map { Terminal.styled("- ", .yellow) + $0 }
    Console.write(text.joined(separator: "\n") + "\n")
  }

  private static func fileSize(_ path: String) throws -> Int {
    guard let size = FileStatus(path)?.bytes else {
      throw Failure(.noInput, "\(path): no such file", "give the packed model")
    }
    return size
  }

  private static func rows(_ machine: Machine) -> [(String, String)] {
    var rows: [(String, String)] = []
    if let board = machine.board { rows.append(("board", board)) }
    if let processor = machine.processor { rows.append(("processor", processor)) }
    let cores = machine.cores.map { kind in
      "\(kind.count)" + (kind.name.map { " x \($0)" } ?? "") + (kind.megahertz.map { " at \($0) MHz" } ?? "")
    }
    rows.append(("cores", cores.joined(separator: ", ")))
    rows.append(
      ("usable", "\(ProcessInfo.processInfo.activeProcessorCount), which is the default of --threads"))
    rows.append(
      (
        "features",
        machine.features.isEmpty ? "none that kernels exist for" : machine.features.joined(separator: " ")
      ))
    let others = InstructionSet.available.filter { $0 != InstructionSet.active }.joined(separator: ", ")
    rows.append(
      ("kernels", InstructionSet.active + (others.isEmpty ? "" : " (VL2_ISA=NAME takes another: \(others))")))
    if let governor = machine.governor { rows.append(("governor", governor)) }
    rows.append(("page size", "\(size(machine.pageSize))"))
    rows.append(("memory", "\(size(machine.memory)), \(size(machine.availableMemory)) available"))
    rows.append(
      ("swap", machine.swap == 0 ? "none" : "\(size(machine.swap)), \(size(machine.freeSwap)) free"))
    switch machine.memoryLimit {
    case .unavailable:
      rows.append(("cgroup", "no memory controller: this system cannot limit a program's memory"))
    case .unlimited: rows.append(("cgroup", "no limit of memory for this program"))
    case .limited(let limit, let used):
      rows.append(("cgroup", "memory limited to \(size(limit)), of which \(size(used)) are in use"))
    }
    if let temperature = machine.temperature {
      rows.append(("temperature", NumberText.fixed(temperature, 0) + " degrees Celsius"))
    }
    if let throttled = machine.isThrottled {
      rows.append(("throttling", throttled ? "yes, now or since the start" : "none since the start"))
    }
    return rows
  }

  private static func text(_ storage: StorageSpeed) -> String {
    let speed = NumberText.fixed(storage.bytesPerSecond / 1e6, 0) + " MB/s"
    return storage.isFromMemory ? "\(speed), but from memory, so this says nothing about the storage" : speed
  }

  /// What would make answers faster, or keep the board alive.
  static func advice(_ machine: Machine, modelSize: Int?, storage: StorageSpeed?) -> [String] {
    var advice: [String] = []
    if InstructionSet.active == "portable" {
      advice.append(
        "No fast kernels run here: a 64-bit system on ARM, or a processor with AVX2, is many times faster.")
    }
    if let governor = machine.governor, governor == "powersave" {
      advice.append(
        "The governor is powersave: as root, 'cpupower frequency-set -g performance' (package linux-cpupower)."
      )
    }
    let speeds = machine.cores.compactMap(\.megahertz)
    if let fast = speeds.max(), let slow = speeds.min(), slow * 4 < fast * 3, let first = machine.cores.first
    {
      advice.append("Cores differ: try --threads \(first.count), since the fast ones wait for the slow ones.")
    }
    if let temperature = machine.temperature, temperature >= 75 {
      advice.append("It is hot; boards slow down from about 80 degrees Celsius: a heat sink or a fan helps.")
    }
    if machine.isThrottled == true {
      advice.append(
        "The board was slowed down for heat or for lack of power: look at cooling and at the power supply.")
    }
    if let modelSize {
      var room = machine.availableMemory
      var remedy = "Close other programs"
      if case .limited(let limit, let used) = machine.memoryLimit, limit - used < room {
        room = max(0, limit - used)
        remedy = "Raise the limit of its control group"
      }
      if modelSize > room {
        advice.append(
          "The model is larger than the memory that is free (\(size(room))): parts of it are read again for each token. \(remedy), or take a smaller model."
        )
        if let storage, !storage.isFromMemory, storage.bytesPerSecond < 200e6 {
          advice.append(
            "The storage is slow for that: an NVMe or USB 3 SSD reads ten times as fast as most SD cards.")
        }
      }
    }
    if machine.memoryLimit == .unavailable {
      if machine.board?.contains("Raspberry Pi") == true {
        advice.append(
          "To limit the memory of a service, add 'cgroup_enable=memory' to /boot/firmware/cmdline.txt and start again."
        )
      } else if machine.kernelOptions.contains("cgroup_disable=memory") {
        advice.append(
          "To limit the memory of a service, take 'cgroup_disable=memory' off the kernel's command line and start again."
        )
      }
    }
    if machine.swap > 0, machine.freeSwap < machine.swap / 2 {
      advice.append("More than half of the swap is in use: the system is short of memory already.")
    }
    return advice
  }

  private static func size(_ bytes: Int) -> ByteSize { ByteSize(bytes: bytes) }
}

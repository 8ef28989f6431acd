import VL2Base
import VL2Run

/// What `vl2 doctor` says: what a computer has, and what would make answers faster on it or keep it alive.
package struct MachineReport {
  /// A packed model that is to run on it.
  package struct Model {
    package var path: String
    package var bytes: Int
    /// nil where its file could not be read.
    package var speed: StorageSpeed?
    package var device: StorageDevice?

    package init(path: String, bytes: Int, speed: StorageSpeed?, device: StorageDevice?) {
      self.path = path
      self.bytes = bytes
      self.speed = speed
      self.device = device
    }
  }

  private let machine: Machine
  private let model: Model?
  private let services: [ServiceState]?

  /// - Parameter services: nil where there is no systemd to ask.
  package init(_ machine: Machine, model: Model? = nil, services: [ServiceState]? = nil) {
    self.machine = machine
    self.model = model
    self.services = services
  }

  // MARK: what there is

  /// Names and values, to be shown one below the other. Values may have text of others in them.
  package var rows: [(name: String, value: String)] {
    var rows: [(name: String, value: String)] = []
    func add(_ name: String, _ value: String?) {
      if let value { rows.append((name, value)) }
    }
    add("board", machine.board)
    add("system", machine.distribution)
    add("kernel", machine.kernel)
    add("processor", machine.processor)
    add("cores", cores)
    add("usable", usable)
    add(
      "features",
      machine.features.isEmpty ? "none that kernels exist for" : machine.features.joined(separator: " "))
    let others = InstructionSet.available.filter { $0 != InstructionSet.active }.joined(separator: ", ")
    add("kernels", InstructionSet.active + (others.isEmpty ? "" : " (VL2_ISA=NAME takes another: \(others))"))
    add("governor", machine.governor)
    add("clock", machine.clock.map { "\($0) MHz now" })
    add("temperature", machine.temperature.map { NumberText.fixed($0, 0) + " degrees Celsius" })
    add(
      "throttling",
      machine.throttling?.text ?? (machine.isHeldBack ? "now: the system lowers the clock for heat" : nil))
    add("page size", "\(Self.size(machine.pageSize))")
    add("memory", "\(Self.size(machine.memory)), \(Self.size(machine.availableMemory)) available")
    add("swap", swap)
    add("cgroup", memoryLimit)
    for camera in cameras { add("camera", camera) }
    for state in services ?? [] { add("service", Self.text(state)) }
    if services?.isEmpty == true { add("service", "not installed") }
    if let model {
      add("model", "\(model.path), \(Self.size(model.bytes))")
      add(
        "storage",
        [model.device.map { "\($0.kind) (\($0.name))" }, model.speed.map(Self.text) ?? "not measured"]
          .compactMap { $0 }.joined(separator: ", "))
    }
    return rows
  }

  private var cores: String {
    let isMixed = Set(machine.cores.map(\.capacity)).count > 1
    return machine.cores.map { kind in
      "\(kind.count)" + (kind.name.map { " x \($0)" } ?? "") + (kind.megahertz.map { " at \($0) MHz" } ?? "")
        + (isMixed ? kind.capacity.map { " (capacity \($0))" } ?? "" : "")
    }.joined(separator: ", ")
  }

  private var usable: String {
    let processors = machine.processors
    var text = "\(processors.answering), which is the default of --threads"
    var reasons: [String] = []
    if processors.fast.count < processors.allowed.count {
      reasons.append("fast: \(Self.list(processors.fast)) of \(Self.list(processors.allowed))")
    }
    if processors.allowed.count < processors.online {
      reasons.append("this program may run on \(processors.allowed.count) of \(processors.online) processors")
    }
    if let quota = processors.quota {
      reasons.append("its control group has the time of \(NumberText.general(quota)) processors")
    }
    if !reasons.isEmpty { text += " (" + reasons.joined(separator: "; ") + ")" }
    return text
  }

  private var swap: String {
    guard machine.swap > 0 else { return "none" }
    let places = machine.swaps.map { swap in
      "\(Self.size(swap.bytes)) in \(swap.isCompressedMemory ? "compressed memory (\(swap.path))" : swap.path)"
    }
    let all = places.isEmpty ? "\(Self.size(machine.swap))" : places.joined(separator: ", ")
    return all + ", \(Self.size(machine.freeSwap)) free"
  }

  private var memoryLimit: String {
    switch machine.memoryLimit {
    case .unavailable: "no memory controller: this system cannot limit a program's memory"
    case .unlimited: "no limit of memory for this program"
    case .limited(let limit, let used):
      "memory limited to \(Self.size(limit)), of which \(Self.size(used)) are in use"
    }
  }

  private var cameras: [String] {
    var lines: [String] = []
    for camera in machine.cameras where camera.kind != .connector {
      let who =
        camera.group.map { ", group \($0)" + (camera.isOpen ? "" : ", which this user is not in") }
        ?? ", but there is no such node here"
      lines.append("\(camera.path): \(camera.name)\(camera.kind == .usb ? " (USB)" : "")\(who)")
    }
    let connected = machine.cameras.filter { $0.kind == .connector }
    if let first = connected.first {
      lines.append("on the camera connector (\(first.name)): 'command:rpicam-vid ...' of vl2 watch")
    }
    return lines
  }

  private static func text(_ state: ServiceState) -> String {
    var parts = ["\(state.unit) is \(state.active)", state.enabled]
    if state.active == "failed" { parts.append("for \(state.result)") }
    if state.restarts > 0 { parts.append("started again \(state.restarts) times") }
    if let most = state.mostMemory { parts.append("memory limited to \(size(most))") }
    return parts.filter { !$0.isEmpty }.joined(separator: ", ")
  }

  private static func text(_ storage: StorageSpeed) -> String {
    let speed = NumberText.fixed(storage.bytesPerSecond / 1e6, 0) + " MB/s"
    return storage.isFromMemory ? "\(speed), but from memory, so this says nothing about the storage" : speed
  }

  /// "4-7" for 4, 5, 6, 7.
  private static func list(_ numbers: [Int]) -> String {
    var ranges: [(first: Int, last: Int)] = []
    for number in numbers {
      if let last = ranges.last?.last, number == last + 1 {
        ranges[ranges.count - 1].last = number
      } else {
        ranges.append((number, number))
      }
    }
    return ranges.map { $0.first == $0.last ? "\($0.first)" : "\($0.first)-\($0.last)" }.joined(
      separator: ",")
  }

  private static func size(_ bytes: Int) -> ByteSize { ByteSize(bytes: bytes) }

  // MARK: what to change

  /// What would make answers faster, or keep the board alive.
  package var advice: [String] {
    aboutSpeed + aboutHeatAndPower + aboutMemory + aboutCameras + aboutTheService
  }

  private var aboutSpeed: [String] {
    var advice: [String] = []
    if InstructionSet.active == "portable" {
      advice.append(
        "No fast kernels run here: a 64-bit system on ARM, or a processor with AVX2, is many times faster.")
    }
    if machine.governor == "powersave" {
      advice.append(
        "The governor is powersave: as root, 'cpupower frequency-set -g performance' (package linux-cpupower)."
      )
    }
    return advice
  }

  private var aboutHeatAndPower: [String] {
    var advice: [String] = []
    let isHeldBack = machine.isHeldBack || machine.throttling?.isHot == true
    if let temperature = machine.temperature, temperature >= 75 {
      advice.append("It is hot; boards slow down from about 80 degrees Celsius: a heat sink or a fan helps.")
    } else if isHeldBack {
      advice.append("The board was slowed down for heat: a heat sink or a fan helps.")
    }
    if machine.throttling?.lacksPower == true {
      advice.append(
        "The board got too low a voltage, and slows down then: take the maker's own power supply, and a short cable."
      )
    }
    return advice
  }

  private var aboutMemory: [String] {
    var advice: [String] = []
    if let model {
      var room = machine.availableMemory
      var remedy = "Close other programs"
      if case .limited(let limit, let used) = machine.memoryLimit, limit - used < room {
        room = max(0, limit - used)
        remedy = "Raise the limit of its control group"
      }
      if model.bytes > room {
        advice.append(
          "The model is larger than the memory that is free (\(Self.size(room))): parts of it are read again for each token. \(remedy), or take a smaller model."
        )
        if let speed = model.speed, !speed.isFromMemory, speed.bytesPerSecond < 200e6 {
          advice.append(
            "The storage is slow for that: an NVMe or USB 3 SSD reads ten times as fast as most SD cards.")
        }
      }
    }
    if machine.memoryLimit == .unavailable, machine.hasControlGroups { advice.append(memoryController) }
    if machine.swap > 0, machine.freeSwap < machine.swap / 2 {
      advice.append("More than half of the swap is in use: the system is short of memory already.")
    }
    return advice
  }

  /// How to turn the memory controller on. Raspberry Pi's kernels alone know `cgroup_enable=`; their firmware begins the
  /// command line with `cgroup_disable=memory`, and the later word counts.
  private var memoryController: String {
    let isDisabled = machine.kernelOptions.contains("cgroup_disable=memory")
    let kernel = machine.kernel ?? ""
    let isOfRaspberryPi =
      kernel.contains("-rpi") || kernel.contains("+rpt")
      || (machine.board?.contains("Raspberry Pi") == true && kernel.contains("-v8"))
    if isOfRaspberryPi {
      if machine.kernelOptions.contains("cgroup_enable=memory") {
        return
          "To limit the memory of a service, take a newer kernel: 'sudo apt full-upgrade', then start again. This one does not heed 'cgroup_enable=memory'."
      }
      return
        "To limit the memory of a service, add 'cgroup_enable=memory' to the end of the one line in /boot/firmware/cmdline.txt and start again."
    }
    if isDisabled {
      return
        "To limit the memory of a service, take 'cgroup_disable=memory' off the kernel's command line and start again."
    }
    return
      "No limit of memory holds for a service here: this kernel has no memory controller (CONFIG_MEMCG), or it is not mounted."
  }

  private var aboutCameras: [String] {
    guard let camera = machine.cameras.first(where: { $0.kind != .connector && !$0.isOpen }),
      let group = camera.group
    else { return [] }
    return ["To read \(camera.path): 'sudo usermod -aG \(group) $USER', then log in again."]
  }

  private var aboutTheService: [String] {
    (services ?? []).filter { $0.active == "failed" }.map {
      "\($0.unit) failed: 'journalctl -u \($0.unit) -n 20' says why."
    }
  }
}

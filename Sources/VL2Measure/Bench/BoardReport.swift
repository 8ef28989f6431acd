import VL2Base

/// What `vl2 bench --report` writes: Markdown to paste into an issue, with everything that somebody needs who was not there.
package struct BoardReport {
  private let machine: MachineReport
  private let before, after: Machine
  private let looks: [Heat]
  private let benchmark: Benchmark
  private let model: String
  private let seconds: Double

  /// - Parameters:
  ///   - before: the machine before anything was measured.
  ///   - model: the packed file; of its path the name alone is shown.
  ///   - manifestHash: says which model it is.
  ///   - looks: how warm it was meanwhile.
  ///   - seconds: how long all of it took.
  package init(
    _ benchmark: Benchmark, model: MachineReport.Model, manifestHash: String, before: Machine, after: Machine,
    looks: [Heat], seconds: Double
  ) {
    machine = MachineReport(before, model: model)
    (self.before, self.after, self.looks, self.benchmark) = (before, after, looks, benchmark)
    self.seconds = seconds
    self.model =
      (model.path.split(separator: "/").last.map(String.init) ?? model.path)
      + ", \(ByteSize(bytes: model.bytes)), SHA-256 of its manifest \(manifestHash)"
  }

  /// Rows of `MachineReport` that say nothing about speed, or that stand elsewhere here.
  private static let others: Set<String> = [
    "camera", "service", "model", "temperature", "clock", "throttling", "swap",
  ]

  package var markdown: String {
    var machineRows = machine.rows.filter { !Self.others.contains($0.name) }.map { [$0.name, $0.value] }
    machineRows.append(["model", model])
    machineRows.append(["vl2", packageVersion])
    machineRows.append(["measured", "\(benchmark.manner), \(NumberText.fixed(seconds, 0)) s for all of it"])
    return [
      Self.table(["", ""], machineRows), Self.table(Benchmark.header, benchmark.rows),
      benchmark.notes.map { Self.cell($0) + "\n" }.joined(separator: "\n"),
      Self.table(["", "before", "meanwhile", "after"], heatRows),
    ].joined(separator: "\n")
  }

  private var heatRows: [[String]] {
    func degrees(_ value: Double) -> String { NumberText.fixed(value, 0) }
    let temperatures = looks.compactMap(\.temperature)
    let clocks = looks.compactMap(\.clock)
    let held = looks.filter(\.isHeldBack).count
    return [
      [
        "temperature, degrees Celsius", before.temperature.map(degrees) ?? "unknown",
        Self.range(temperatures, degrees), after.temperature.map(degrees) ?? "unknown",
      ],
      [
        "clock, MHz", before.clock.map { "\($0)" } ?? "unknown", Self.clocks(clocks),
        after.clock.map { "\($0)" } ?? "unknown",
      ],
      [
        "throttling", Self.throttling(before),
        held > 0 ? "the system lowered the clock in \(held) of \(looks.count) looks" : "",
        Self.throttling(after),
      ],
    ]
  }

  private static func throttling(_ machine: Machine) -> String {
    if machine.isHeldBack { return "the system lowers the clock for heat" }
    return machine.throttling?.text ?? "not told"
  }

  private static func range<Value: Comparable>(_ values: [Value], _ text: (Value) -> String) -> String {
    guard let least = values.min(), let most = values.max() else { return "unknown" }
    return text(least) == text(most) ? text(least) : "\(text(least)) to \(text(most))"
  }

  /// The range, and how often it was below the highest: a governor lowers it between two measurements, heat during them.
  private static func clocks(_ values: [Int]) -> String {
    guard let most = values.max(), let least = values.min(), least < most else {
      return range(values) { "\($0)" }
    }
    let lower = values.filter { $0 < most / 100 * 98 }.count
    return "\(least) to \(most), lower than that in \(lower) of \(values.count) looks"
  }

  private static func table(_ header: [String], _ rows: [[String]]) -> String {
    ([header, header.map { _ in "---" }] + rows).map { row in
      "| " + row.map(cell).joined(separator: " | ") + " |\n"
    }.joined()
  }

  /// Text of files and of the system, made fit for a cell.
  private static func cell(_ text: String) -> String {
    UntrustedText.line(text).split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }
}

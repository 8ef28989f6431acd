import ArgumentParser
import FoundationEssentials
import Glibc
import VL2Base
import VL2Console
import VL2Measure
import VL2Run

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures a model on this machine.",
    usage: """
      vl2 bench [--model FILE] [--runs N] [--json]
      vl2 bench [--model FILE] --memory SIZE ... [--read-limit SIZE] [--plot OUT.svg]
      vl2 bench [--model FILE] --report
      vl2 bench --kernels
      vl2 bench [--model FILE] --reuse [--runs N] [--json]
      """,
    discussion: """
      Medians of several runs, and beside them what this machine allows, measured in the same run: how fast the same \
      threads read the same weights, and how fast they multiply int8 and float32 numbers.

      With --memory, once or several times, it measures writing under these budgets instead, and beside it what the \
      bytes that were missed allow at the speed at which this machine reads:

        vl2 bench --memory 1400M --memory 900M --memory 420M --plot memory.svg

      With --report it writes all of that and what there is to know of this computer as Markdown, to paste into an issue \
      (docs/BOARDS.md); a Raspberry Pi 4 takes about six minutes.

      With --kernels it measures the kernels of every instruction set that this processor has, each alone on one \
      thread; that needs no model.
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Measured runs of everything; the median counts.", valueName: "n"))
  var runs = 3

  @Flag(help: "Measure kernels instead of a model.")
  var kernels = false

  @Flag(help: "Measure where the time of writing, of a prompt and of a tile goes.")
  var stages = false

  @Flag(help: "Measure what a camera saves whose picture changes in one place.")
  var reuse = false

  @Flag(help: "Write a report of this computer and of what was measured, to paste into an issue.")
  var report = false

  @Flag(help: "Print one JSON object.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "With --memory: read no more bytes a second than this, as from a slow card.", valueName: "size"),
    transform: Self.size)
  var readLimit: Int?

  @Option(
    help: ArgumentHelp("With --memory: draw what was measured into an SVG file.", valueName: "out.svg"),
    completion: .file(extensions: ["svg"]))
  var plot: String?

  @OptionGroup var options: ModelOptions

  private static func size(_ text: String) throws -> Int {
    guard let size = ByteSize(text), size.bytes > 0 else {
      throw ValidationError("give a size, for example 40M.")
    }
    return size.bytes
  }

  func validate() throws {
    if options.memory.isEmpty && (plot != nil || readLimit != nil) {
      throw ValidationError("--plot and --read-limit go with --memory.")
    }
    if kernels && !options.memory.isEmpty {
      throw ValidationError("--kernels and --memory do not go together.")
    }
    if stages && (kernels || json || !options.memory.isEmpty) {
      throw ValidationError("--stages goes with neither --kernels nor --memory nor --json.")
    }
    if reuse && (kernels || stages || !options.memory.isEmpty) {
      throw ValidationError("--reuse goes with neither --kernels nor --stages nor --memory.")
    }
    if report && (kernels || stages || reuse || json || !options.memory.isEmpty) {
      throw ValidationError(
        "--report goes with neither --kernels nor --stages nor --reuse nor --memory nor --json.")
    }
    if !(1...1000).contains(runs) { throw ValidationError("--runs \(runs): give a number from 1 to 1000.") }
  }

  func run() throws {
    if kernels { return try timeKernels() }
    if stages { return Console.write(StageReport(try StageTimes(options.open())).table) }
    if reuse {
      let report = ReuseReport(try ReuseTimes(options.open(), runs: runs), runs: runs)
      return Console.write(json ? try JSONOutput.text(report) : report.table)
    }
    if !options.memory.isEmpty { return try sweep() }
    if report { return try writeReport() }
    func open() throws -> Model { try options.open() }
    let status = StatusLine()
    defer { status.clear() }
    let measured = try Benchmark(runs: runs, open: open) { status.show("measuring: \($0)") }
    status.clear()
    Console.write(json ? try JSONOutput.text(Report(measured)) : table(measured))
  }

  private func timeKernels() throws {
    let status = StatusLine()
    let report = KernelReport(KernelTimes { status.show("measuring: \($0)") })
    status.clear()
    Console.write(json ? try JSONOutput.text(report) : report.table)
  }

  private func sweep() throws {
    let plotFile = try plot.map { try OutputFile($0, .plot, reading: [options.path()]) }
    func open(_ choice: MemoryChoice) throws -> Model {
      try options.open(bytesPerSecond: readLimit, memory: choice)
    }
    let status = StatusLine()
    defer { status.clear() }
    let sweep = try MemorySweep(options.memory, bytesPerSecond: readLimit, open: open) {
      status.show("measuring: \($0)")
    }
    status.clear()
    let report = SweepReport(sweep)
    try plotFile?.write(Data(MemoryPlot(sweep).svg.utf8))
    Console.write(json ? try JSONOutput.text(report) : report.table)
  }

  private func table(_ measured: Benchmark) -> String {
    var table = TextTable(Benchmark.header, alignment: "lrrr")
    for row in measured.rows { table.append(row) }
    return measured.manner + "\n\n" + table.text + "\n" + measured.notes.map { $0 + "\n" }.joined()
  }

  /// After so many seconds no further run of a thing begins, so that slow boards have a report within minutes.
  private static let reportSeconds = 20.0

  private func writeReport() throws {
    let path = try options.path()
    let begin = ContinuousClock.now
    let before = Machine()
    let processors = before.processors.fast
    let storage = StorageSpeed.measure(path)
    let record = HeatRecord { Heat(root: "", processors: processors) }
    defer { record.end() }
    let status = StatusLine()
    defer { status.clear() }
    var file: (path: String, bytes: Int, hash: String)?
    func open() throws -> Model {
      let model = try options.open()
      if file == nil {
        file = (path, FileStatus(path)?.bytes ?? 0, model.file.manifestHash)
      }
      return model
    }
    let measured = try Benchmark(runs: runs, seconds: Self.reportSeconds, open: open) {
      status.show("measuring: \($0)")
    }
    record.end()
    let after = Machine()
    status.clear()
    guard let file else { return }
    let model = MachineReport.Model(
      path: file.path, bytes: file.bytes, speed: storage, device: StorageDevice(of: path))
    let report = BoardReport(
      measured, model: model, manifestHash: file.hash, before: before, after: after, looks: record.looks,
      seconds: (ContinuousClock.now - begin) / .seconds(1))
    Console.write(report.markdown)
  }
}

extension ResultKind {
  /// What `--plot` draws.
  fileprivate static let plot = ResultKind("an SVG drawing", endings: [".svg"]) {
    $0.starts(with: Array("<svg".utf8))
  }
}

extension Bench {
  /// What `--json` prints. Other programs rely on these names.
  struct Report: Encodable {
    private let measured: Benchmark

    init(_ measured: Benchmark) { self.measured = measured }

    enum CodingKeys: String, CodingKey {
      case threads, isa, runs, context, openSeconds, firstTokenSeconds, tileSeconds, tileSecondsOfFive
      case promptTokens, promptTokensPerSecond, writtenTokens, writeTokensPerSecond, peakAnonymousBytes
      case readBytesPerSecond, weightBytesPerToken, int8OperationsPerSecond, floatOperationsPerSecond
      case writeTokensPerSecondFar = "write_tokens_per_second_at_3500"
      case bandwidthShare = "write_bandwidth_share"
      case readWay
      case cacheBytes = "last_level_cache_bytes"
      case tileShare = "tile_peak_share"
      case promptShare = "prompt_peak_share"
    }

    func encode(to encoder: any Encoder) throws {
      var object = encoder.container(keyedBy: CodingKeys.self)
      try object.encode(measured.threads, forKey: .threads)
      try object.encode(measured.isa, forKey: .isa)
      try object.encode(measured.runs, forKey: .runs)
      try object.encode(measured.context, forKey: .context)
      try object.encode(measured.openSeconds, forKey: .openSeconds)
      try object.encode(measured.firstTokenSeconds, forKey: .firstTokenSeconds)
      try object.encode(measured.tileSeconds, forKey: .tileSeconds)
      try object.encode(measured.tileSecondsOfFive, forKey: .tileSecondsOfFive)
      try object.encode(measured.promptTokens, forKey: .promptTokens)
      try object.encode(measured.promptTokensPerSecond, forKey: .promptTokensPerSecond)
      try object.encode(measured.writtenTokens, forKey: .writtenTokens)
      try object.encode(measured.writeTokensPerSecond, forKey: .writeTokensPerSecond)
      try object.encode(measured.writeTokensPerSecondFar, forKey: .writeTokensPerSecondFar)
      try object.encode(measured.peakAnonymousBytes, forKey: .peakAnonymousBytes)
      try object.encode(measured.readBytesPerSecond, forKey: .readBytesPerSecond)
      try object.encode(measured.weightBytesPerToken, forKey: .weightBytesPerToken)
      try object.encode(measured.bandwidthShare, forKey: .bandwidthShare)
      try object.encode(measured.readWay, forKey: .readWay)
      try object.encodeIfPresent(measured.cacheBytes, forKey: .cacheBytes)
      try object.encode(measured.int8OperationsPerSecond, forKey: .int8OperationsPerSecond)
      try object.encode(measured.floatOperationsPerSecond, forKey: .floatOperationsPerSecond)
      try object.encode(measured.tileLimitSeconds / measured.tileSeconds, forKey: .tileShare)
      try object.encode(
        measured.promptTokensPerSecond * measured.promptLimitSeconds / Double(measured.promptTokens),
        forKey: .promptShare)
    }
  }
}

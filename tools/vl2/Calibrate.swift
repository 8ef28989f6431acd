import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Measure
import VL2Quant
import VL2Run

/// `vl2 calibrate`.
struct Calibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Collects what packing goes by: how large the values are that go into each matrix.",
    usage: """
      vl2 calibrate [--model FILE] --images FOLDER --questions FILE [--text FILE] -o STATISTICS
      vl2 calibrate [--model FILE] --items ITEMS.jsonl [--text FILE] -o STATISTICS
      """,
    discussion: """
      Asks the questions about the pictures, in turn, until every picture and every question was there, and adds up what \
      goes into the matrices while prompts are read and answers written. Any packing of the model will do. \
      docs/CONVERTING.md says what pictures and questions to take, and what it is worth:

        vl2 calibrate --model tiny.vl2q --images photos --questions questions.txt -o statistics.safetensors
        vl2-convert pack deepseek-vl2-tiny -o better.vl2q --calibration statistics.safetensors
      """)

  @Option(help: ArgumentHelp("A folder of pictures.", valueName: "folder"), completion: .directory)
  var images: String?

  @Option(
    help: ArgumentHelp("A file with one question a line, for --images.", valueName: "file"),
    completion: .file())
  var questions: String?

  @Option(
    help: ArgumentHelp(
      "Questions with their pictures, as vl2 eval takes them, in place of --images and --questions; the right answers are not used.",
      valueName: "items.jsonl"), completion: .file(extensions: ["jsonl"]))
  var items: String?

  @Option(
    help: ArgumentHelp("A text to read besides, in pieces of 512 tokens.", valueName: "file"),
    completion: .file())
  var text: String?

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("The statistics to write.", valueName: "statistics"),
    completion: .file(extensions: ["safetensors"]))
  var output: String

  @Option(
    help: ArgumentHelp("Statistics of other runs with this model, to be added.", valueName: "statistics"),
    completion: .file(extensions: ["safetensors"]))
  var add: [String] = []

  @Flag(help: "Go on with what an interrupted run left in STATISTICS.part; begin anew where there is none.")
  var resume = false

  @Option(parsing: .unconditional, help: ArgumentHelp("The longest answer, in tokens.", valueName: "n"))
  var maxTokens = 32

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Take the first prompts only.", valueName: "n"))
  var limit: Int?

  @OptionGroup var transparency: BackgroundOption
  @OptionGroup var options: ModelOptions

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens \(maxTokens): give at least 1.") }
    if let limit, limit < 1 { throw ValidationError("--limit \(limit): give at least 1.") }
    if (images == nil) != (questions == nil) {
      throw ValidationError("--images and --questions belong together: give both.")
    }
    if items != nil, images != nil {
      throw ValidationError("--items does not go with --images and --questions: give one of them.")
    }
    if images == nil, items == nil, text == nil {
      throw ValidationError("Nothing to read: give --images and --questions, --items, or --text.")
    }
    if !options.memory.isEmpty {
      throw ValidationError("--memory does not go with calibrate, which maps the model.")
    }
  }

  /// What a run that was interrupted has done is kept in this file.
  private var unfinished: String { output + ".part" }

  func run() throws {
    let prompts = try CalibrationPrompts(
      images: images, questions: questions, items: items, text: text, background: transparency.background,
      limit: limit)
    let path = try options.path()
    let inputs = [path] + add + prompts.paths
    let place = try OutputFile(output, .statistics, reading: inputs)
    try ResultKind.statistics.check(unfinished, reading: inputs)
    let calibrated = try CalibratedModel(try PackedFile(path: path))
    let others = try add.map { try CalibrationFile.read($0, for: calibrated) }
    let model = try options.open(memory: .mapped)
    let prepared = try prompts.prepared(for: model)
    let run = Calibration.run(
      model.file,
      inputs: try prompts.hash(
        settings: "\(maxTokens) \(options.exact) \(options.keyValues?.rawValue ?? "")"),
      prompts: prepared.count)
    let begun = try begin(calibrated, run)
    // Added first, so that a run that is given twice is refused before work.
    var sum = begun
    for (other, path) in zip(others, add) { try sum.add(other, from: path) }
    let calibration = try Calibration(model, begun, maxTokens: maxTokens)
    try collect(calibration, prepared)
    sum = calibration.statistics
    for (other, path) in zip(others, add) { try sum.add(other, from: path) }
    try CalibrationFile.write(sum, to: place.path)
    unlink(unfinished)
    report(sum)
  }

  /// What an interrupted run left, or nothing.
  private func begin(_ model: CalibratedModel, _ run: CalibrationRun) throws -> CalibrationStatistics {
    guard resume, FileStatus(unfinished) != nil else { return CalibrationStatistics(model, run: run) }
    let earlier = try CalibrationFile.read(unfinished, for: model, partial: true)
    guard earlier.runs.count == 1, let before = earlier.runs.first else {
      throw CalibrationError.otherWork(path: unfinished, difference: "other runs")
    }
    if before.packedFile != run.packedFile {
      throw CalibrationError.otherWork(path: unfinished, difference: "another packing of the model")
    }
    if before.inputs != run.inputs || before.prompts != run.prompts {
      throw CalibrationError.otherWork(
        path: unfinished, difference: "other pictures, questions, texts or options")
    }
    return earlier
  }

  /// Seconds between two records of what is done.
  private static let secondsBetweenRecords = 30.0

  private func collect(_ calibration: Calibration, _ prompts: [CalibrationPrompts.Prompt]) throws {
    Interruption.watch()
    let status = StatusLine()
    defer { status.clear() }
    var recorded = ContinuousClock.now
    let first = calibration.statistics.runs[0].done
    do {
      for (index, prompt) in prompts.enumerated().dropFirst(first) {
        status.show(Double(index) / Double(prompts.count), prompt.name)
        try prompt.run(by: calibration, background: transparency.background, check: Interruption.check)
        if (ContinuousClock.now - recorded) / .seconds(1) > Self.secondsBetweenRecords {
          try CalibrationFile.write(calibration.statistics, to: unfinished)
          recorded = .now
        }
      }
    } catch {
      status.clear()
      if calibration.statistics.runs[0].done > 0 {
        try CalibrationFile.write(calibration.statistics, to: unfinished)
        Console.tell("\(unfinished) holds what is done: give --resume to go on, or delete it")
      }
      throw error
    }
  }

  private func report(_ statistics: CalibrationStatistics) {
    let runs = statistics.runs
    func sum(_ count: (CalibrationRun) -> Int) -> String {
      NumberText.grouped(runs.reduce(0) { $0 + count($1) })
    }
    Console.write(
      "\(output): \(sum(\.pictures)) pictures, \(sum(\.questions)) questions, \(sum(\.texts)) texts; "
        + "\(sum(\.pictureTokens)) tokens of pictures, \(sum(\.textTokens)) of text, \(sum(\.answerTokens)) answered\n"
    )
    let few = zip(statistics.inputs.inputs, statistics.sums).filter {
      $0.pool != nil && $1.allRows < ColumnImportance.fewestRows
    }
    let experts = Set(few.map { $0.0.name.split(separator: ".").prefix(7).joined(separator: ".") })
    if !experts.isEmpty {
      Console.write(
        "\(experts.count) experts saw fewer than \(ColumnImportance.fewestRows) tokens and will be packed by their "
          + "layer's mean; more pictures and questions help\n")
    }
  }
}

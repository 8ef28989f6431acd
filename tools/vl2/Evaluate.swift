import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Measure
import VL2Run

struct Evaluate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Counts right answers, compares two models, or measures how well a model foresees a text.",
    usage: """
      vl2 eval [--model FILE] --items ITEMS.jsonl
      vl2 eval [--model FILE] --tsv BENCHMARK.tsv
      vl2 eval [--model FILE] --against OTHER --images FOLDER --questions FILE
      vl2 eval [--model FILE] --perplexity TEXT [--against OTHER]
      """,
    discussion: """
      ITEMS.jsonl holds one JSON object a line; docs/EVALUATING.md specifies them and what counts as right:

        {"task": "dogs", "images": ["a.jpg"], "question": "How many?", "answer": "3"}

      With --tsv, asks the questions of a benchmark in VLMEvalKit's form and scores the answers by its published rule.

      With --against, asks two models every question of a file about every picture of a folder, and says how near \
      the model is to the other one.

      With --perplexity, reads a text in windows of 256 tokens (--window), the first of which is the token that begins \
      a conversation, and says how well the model foresees each token but the first two; with --against also how near \
      it is to the other model at these places.
      """)

  @Option(
    help: ArgumentHelp("The questions, with pictures relative to this file.", valueName: "items.jsonl"),
    completion: .file(extensions: ["jsonl"]))
  var items: String?

  @Option(
    help: ArgumentHelp(
      "Compare with this packed model, the reference, instead of counting right answers.", valueName: "file"),
    completion: .file(extensions: ["vl2q"]))
  var against: String?

  @Option(
    help: ArgumentHelp("A folder of pictures, for --against.", valueName: "folder"), completion: .directory)
  var images: String?

  @Option(
    help: ArgumentHelp("A file with one question a line, for --against.", valueName: "file"),
    completion: .file())
  var questions: String?

  @Option(
    help: ArgumentHelp(
      "A file of UTF-8 text of which to give the perplexity; with --against also how near both models are on it.",
      valueName: "text"),
    completion: .file())
  var perplexity: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --perplexity: the tokens of a window, with the one that begins it. (default: \(TextPerplexity.defaultWindow))",
      valueName: "n"))
  var window: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Take the first items only; with --against, the first answers; with --perplexity, the first windows.",
      valueName: "n"))
  var limit: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The longest answer, in tokens. (default: 128; 2048 with --tsv)", valueName: "n"))
  var maxTokens: Int?

  @Option(
    help: ArgumentHelp(
      "Write each answer to this file as it is given, one JSON object a line.", valueName: "file"),
    completion: .file())
  var answers: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var yardstick: YardstickOptions
  @OptionGroup var transparency: BackgroundOption
  @OptionGroup var options: ModelOptions

  func validate() throws {
    if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens \(maxTokens): give at least 1.") }
    if let limit, limit < 1 { throw ValidationError("--limit \(limit): give at least 1.") }
    if window != nil, perplexity == nil { throw ValidationError("--window goes with --perplexity alone.") }
    if perplexity != nil {
      for (value, name) in [
        (items, "--items"), (yardstick.tsv, "--tsv"), (images, "--images"), (questions, "--questions"),
        (answers, "--answers"),
      ] where value != nil {
        throw ValidationError("\(name) does not go with --perplexity: give one of them.")
      }
      if let window, window < TextPerplexity.smallestWindow {
        throw ValidationError("--window \(window): give at least \(TextPerplexity.smallestWindow).")
      }
    } else if against != nil || images != nil || questions != nil {
      guard against != nil, images != nil, questions != nil else {
        throw ValidationError("--against, --images and --questions belong together: give all three.")
      }
      if items != nil { throw ValidationError("--items does not go with --against: give one of them.") }
      if yardstick.tsv != nil { throw ValidationError("--tsv does not go with --against: give one of them.") }
      if answers != nil { throw ValidationError("--answers does not go with --against; --json has them.") }
    } else if yardstick.tsv != nil {
      if items != nil { throw ValidationError("--items does not go with --tsv: give one of them.") }
      if yardstick.resume, answers == nil {
        throw ValidationError("--resume goes on with --answers: give the file that holds them.")
      }
    } else if items == nil {
      throw ValidationError(
        "No questions given: use --items FILE, --tsv FILE, "
          + "--against with --images and --questions, or --perplexity TEXT."
      )
    }
  }

  func run() async throws {
    if let perplexity {
      let report = try MeasureText(
        model: options.open(), reference: against.map { try options.open($0) }, text: perplexity,
        window: window ?? TextPerplexity.defaultWindow, limit: limit
      ).run()
      Console.write(try json ? JSONOutput.text(report) : report.text)
    } else if let against, let images, let questions {
      let report = try CompareModels(
        model: options.open(), reference: options.open(against), images: images, questions: questions,
        background: transparency.background, limit: limit, maxTokens: maxTokens ?? Self.usualMaxTokens
      ).run()
      Console.write(try json ? JSONOutput.text(report) : report.text)
    } else if let tsv = yardstick.tsv {
      let report = try await benchmark(tsv).run()
      Console.write(try json ? JSONOutput.text(report) : report.text)
    } else if let items {
      try await countRightAnswers(items)
    }
  }

  private func benchmark(_ tsv: String) throws -> BenchmarkRun {
    let file = try BenchmarkFile(tsv, yardstick.yardstick(of: tsv), limit: limit)
    let inputs = try [tsv, options.path()]
    return BenchmarkRun(
      file: file, options: options,
      // As the published processor does, unless somebody wants it otherwise.
      background: transparency.chosen ?? .dropped, maxTokens: maxTokens ?? BenchmarkRun.publishedMaxTokens,
      answerPlace: try answers.map {
        try BenchmarkAnswers.Place($0, resumes: yardstick.resume, reading: inputs)
      })
  }

  private static let usualMaxTokens = 128

  private func countRightAnswers(_ items: String) async throws {
    let list = try EvaluationItem.load(items, limit: limit)
    let inputs = try [items, options.path()] + list.flatMap(\.pictures)
    let answerPlace = try answers.map { try OutputFile($0, .answers, reading: inputs) }
    // Items have nothing in common that would be worth keeping.
    let engine = try await options.engine(keeping: 0)
    let answerFile = try answerPlace.map { try AnswerFile($0.path) }
    var evaluation = Evaluation()
    let begin = ContinuousClock.now
    let status = StatusLine()
    do {
      defer { status.clear() }
      for item in list {
        let answer = try await item.answer(
          by: engine, background: transparency.background, maxTokens: maxTokens ?? Self.usualMaxTokens)
        let isRight = item.expected.accepts(answer)
        evaluation.add(task: item.task, isRight: isRight)
        try answerFile?.append(item, answer: answer, isRight: isRight)
        status.show(progress(evaluation.overall, of: list.count, begin: begin))
      }
    }
    let report = Report(evaluation, seconds: (ContinuousClock.now - begin) / .seconds(1))
    Console.write(try json ? JSONOutput.text(report) : report.table)
  }

  private func progress(
    _ score: Evaluation.Score, of items: Int, begin: ContinuousClock.Instant
  ) -> String {
    let left = (ContinuousClock.now - begin) / .seconds(1) * Double(items - score.items) / Double(score.items)
    return "\(score.items) of \(items) items, \(NumberText.percent(score.accuracy)) right, "
      + "\(NumberText.fixed(left, 0)) s left"
  }
}

extension Evaluate {
  /// What is printed.
  struct Report: Encodable {
    struct Score: Encodable {
      var items: Int
      var right: Int
      var accuracy: Double
      var seconds: Double?

      init(_ score: Evaluation.Score, seconds: Double? = nil) {
        items = score.items
        right = score.right
        accuracy = score.accuracy
        self.seconds = seconds
      }
    }

    var tasks: [String: Score]
    var overall: Score

    init(_ evaluation: Evaluation, seconds: Double) {
      tasks = evaluation.tasks.mapValues { Score($0) }
      overall = Score(evaluation.overall, seconds: seconds)
    }

    /// A line for each task, in alphabetical order, and one for all.
    var table: String {
      var table = TextTable(["task", "items", "right", "accuracy"], alignment: "lrrr", gap: "    ")
      for (task, score) in tasks.sorted(by: { $0.key < $1.key }) + [(key: "overall", value: overall)] {
        table.append([task, "\(score.items)", "\(score.right)", NumberText.percent(score.accuracy)])
      }
      return table.text
    }
  }
}

extension ResultKind {
  /// What `--answers` writes.
  fileprivate static let answers = ResultKind("a list of answers", endings: [".jsonl", ".json"]) {
    $0.starts(with: Array(#"{"answer":"#.utf8))
  }
}

/// The answers, written one by one, so that an evaluation that is stopped keeps the answers it has.
private final class AnswerFile {
  private struct Line: Encodable {
    var line: Int
    var id: String?
    var task: String
    var answer: String
    var right: Bool
  }

  private let path: String
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw OutputError(path, errno)
    }
    self.path = path
  }

  deinit { close(descriptor) }

  func append(_ item: EvaluationItem, answer: String, isRight: Bool) throws {
    let line = Line(line: item.line, id: item.id, task: item.task, answer: answer, right: isRight)
    let text = try JSONOutput.text(line)
    do {
      try Descriptor(descriptor).write(text)
    } catch {
      throw Failure(.inputOutput, "\(path): writing failed", "is the disk full?")
    }
  }
}

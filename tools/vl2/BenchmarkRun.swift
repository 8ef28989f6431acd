import VL2Base
import VL2Console
import VL2Measure
import VL2Run
import VL2Serve

/// Asks a model the questions of a benchmark and scores its answers.
struct BenchmarkRun {
  /// As many tokens as VLMEvalKit lets DeepSeek-VL2 write.
  static let publishedMaxTokens = 2048

  var file: BenchmarkFile
  var options: ModelOptions
  var background: Background
  var maxTokens: Int
  /// Where answers are written; nil for nowhere.
  var answerPlace: BenchmarkAnswers.Place?

  /// - Throws: `FileError` with the line of the item that cannot be asked, `OutputError`.
  func run() async throws -> BenchmarkReport {
    Interruption.watch()
    // Pictures and questions of a benchmark follow one another where several are asked about one picture.
    let engine = try await options.engine(keeping: nil)
    if let notice = engine.demonstrationNotice { Console.tell(notice) }
    let answers = try answerPlace.map { try BenchmarkAnswers($0) }
    // What the answers of another run of the same file could differ by.
    let settings = [
      try ServedModel(engine, aliases: []).digest, file.yardstick.name, "\(options.exact)",
      "\(engine.contextLength)",
      options.keyValues?.rawValue ?? "", "\(maxTokens)", "\(background)",
    ].joined(separator: " ")
    var scores = BenchmarkScores(file.yardstick)
    let begin = ContinuousClock.now
    let status = StatusLine()
    do {
      defer { status.clear() }
      for place in file.places {
        try Interruption.check()
        let item = try file.item(place)
        let identity = try answers.map { _ in try item.identity(settings) } ?? ""
        let score: Double
        if let old = try answers?.takeOld(identity, item) {
          score = old
        } else {
          let pictures = try item.decoded(background: background)
          let answer = try await item.answer(pictures, by: engine, maxTokens: maxTokens) { _ in
            try Interruption.check()
          }
          score = item.score(answer, size: (pictures.first?.width ?? 1, pictures.first?.height ?? 1))
          try answers?.write(identity, item, answer: answer, score: score)
        }
        scores.add(item, score)
        let done = scores.overall.items
        status.show(
          Double(done) / Double(file.places.count),
          "\(done) of \(file.places.count), \(NumberText.percent(scores.overall.mean)) so far")
      }
    } catch {
      if let answers, scores.overall.items > 0 {
        Console.tell("\(answers.path) holds \(scores.overall.items) answers: give --resume to go on")
      }
      throw error
    }
    try answers?.end()
    if file.withoutPicture > 0 {
      Console.tell("\(file.path): \(file.withoutPicture) rows have no picture and were not asked")
    }
    return BenchmarkReport(scores, of: file.yardstick, seconds: (ContinuousClock.now - begin) / .seconds(1))
  }
}

/// What is printed.
struct BenchmarkReport: Encodable {
  /// Of all items, or of those of a group. Percent, as the scores are published.
  struct Score: Encodable {
    var items: Int
    var score: Double
    var low: Double
    var high: Double
    /// Of a benchmark that counts right answers.
    var points: Int?
    var seconds: Double?

    init(_ tally: ScoreTally, _ yardstick: Yardstick) {
      items = tally.items
      score = 100 * tally.mean
      let interval = tally.interval
      (low, high) = (100 * interval.lowerBound, 100 * interval.upperBound)
      points = yardstick.countsPoints ? Int(tally.sum) : nil
    }
  }

  var benchmark: String
  var rule: String
  /// How `low` and `high`, the ends of a 95 % interval, were found.
  var interval: String
  var overall: Score
  var groups: [String: [String: Score]]

  init(_ scores: BenchmarkScores, of yardstick: Yardstick, seconds: Double) {
    benchmark = yardstick.name
    rule = yardstick.rule.rawValue
    interval = yardstick.rule.isGraded ? "bootstrap" : "wilson"
    overall = Score(scores.overall, yardstick)
    overall.seconds = seconds
    groups = scores.groups.mapValues { $0.mapValues { Score($0, yardstick) } }
  }

  /// A line that says what was measured, a table for each column that groups the items, and a line for all.
  var text: String {
    let method = interval == "wilson" ? "Wilson" : "bootstrap"
    var text = "\(benchmark): \(rule); 95 % interval by \(method)\n"
    let hasPoints = overall.points != nil
    func row(_ name: String, _ score: Score) -> [String] {
      let points = score.points.map { ["\($0)"] } ?? []
      let ends = "\(NumberText.fixed(score.low, 2)) to \(NumberText.fixed(score.high, 2))"
      return [name, "\(score.items)"] + points + [NumberText.fixed(score.score, 2) + " %", ends]
    }
    let heads = ["items"] + (hasPoints ? ["right"] : []) + ["score", "95 %"]
    let alignment = "l" + String(repeating: "r", count: heads.count)
    for column in ["split", "l2-category", "category"] {
      guard let group = groups[column] else { continue }
      var table = TextTable([column] + heads, alignment: alignment, gap: "    ")
      for (name, score) in group.sorted(by: { $0.key < $1.key }) { table.append(row(name, score)) }
      text += "\n" + table.text
    }
    var table = TextTable([""] + heads, alignment: alignment, gap: "    ")
    table.append(row("overall", overall))
    return text + "\n" + table.text
  }
}

import VL2Base
import VL2Quant
import VL2Run

/// Collects statistics for packing: a model reads prompts and answers them, and what goes into its matrices is added up.
package final class Calibration {
  package let model: Model
  /// What was collected from prompts that are done.
  package private(set) var statistics: CalibrationStatistics
  private let collector: InputCollector
  /// The longest answer.
  private let maxTokens: Int

  /// - Parameters:
  ///   - model: mapped; it shows its products to nobody else.
  ///   - statistics: what an earlier run collected, which belongs to the same run; its last run is added to.
  /// - Throws: `PackedFileError`.
  package init(_ model: Model, _ statistics: CalibrationStatistics, maxTokens: Int) throws {
    (self.model, self.statistics, self.maxTokens) = (model, statistics, maxTokens)
    collector = try InputCollector(model)
  }

  /// Begins the record of a run with a packed file.
  ///
  /// - Parameters:
  ///   - inputs: SHA-256 of everything that is going to be read.
  ///   - prompts: how many there are.
  package static func run(_ file: PackedFile, inputs: String, prompts: Int) -> CalibrationRun {
    let hash = SHA256()
    for section in file.manifest.sections { Array(section.sha256.utf8).withUnsafeBytes { hash.append($0) } }
    return CalibrationRun(
      packedFile: hash.finish(), code: file.manifest.mainCode.rawValue, inputs: inputs, prompts: prompts)
  }

  /// Asks a question and has it answered greedily; prompt and answer are added up.
  ///
  /// - Parameter check: called often enough to stop soon. What it throws leaves nothing of this question.
  /// - Throws: `PackedFileError`, `PromptError`, and what `check` throws.
  package func ask(_ turns: [Turn], check: () throws -> Void = {}) throws {
    try collect {
      try model.beginRequest()
      let reading = try Reading(turns, room: .init(maxTokens: maxTokens), model: model)
      collector.begin(pictures: reading.prompt.pictures)
      var written: [Int] = []
      let room = reading.room(maxTokens)
      while written.count < room {
        try check()
        let logits = try reading.logits(after: written) { _ in try check() }
        let next = model.decoder.likeliest(logits)
        if model.endsAnswer(next) { break }
        written.append(next)
      }
      let pictureTokens = reading.prompt.pictures.reduce(0) { $0 + $1.count }
      return { run in
        run.questions += 1
        run.pictures += reading.prompt.pictures.count
        run.pictureTokens += pictureTokens
        run.textTokens += reading.prompt.tokens.count - pictureTokens
        run.answerTokens += written.count
      }
    }
  }

  /// Reads a piece of text, of which every place is one that is answered from.
  ///
  /// - Parameter tokens: without the token that begins a conversation.
  package func read(_ tokens: [Int], check: () throws -> Void = {}) throws {
    try collect {
      try model.beginRequest()
      try check()
      let reading = try Reading(tokens: [model.beginToken] + tokens, written: 0, model: model)
      collector.begin(pictures: [])
      let rows = try reading.rows(chunk: model.decoder.chunk, routes: nil, observer: NoObserver())
      for first in stride(from: 0, to: rows.count, by: Self.logitRows) {
        try check()
        _ = model.decoder.logits(rows.slice(first..<min(rows.count, first + Self.logitRows)))
      }
      return { run in
        run.texts += 1
        run.textTokens += rows.count
      }
    }
  }

  /// Rows whose logits are in memory at a time.
  private static let logitRows = 32

  /// - Parameter body: returns what to note of the prompt when it is done.
  private func collect(_ body: () throws -> ((inout CalibrationRun) -> Void)) throws {
    model.arithmetic.tap = collector
    defer { model.arithmetic.tap = nil }
    do {
      let note = try body()
      collector.take(into: &statistics)
      let last = statistics.runs.count - 1
      note(&statistics.runs[last])
      statistics.runs[last].done += 1
    } catch {
      collector.forget()
      throw error
    }
  }
}

private final class NoObserver: StageObserver {
  func observe(_ stage: String, _ rows: Rows) {}
  func observeRoutes(layer: Int, experts: [Int32], weights: [Float], perRow: Int) {}
}

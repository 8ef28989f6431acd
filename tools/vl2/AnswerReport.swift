import Foundation
import VL2Run

/// What `vl2 ask --json` prints.
struct AnswerReport: Encodable {
  struct Seconds: Encodable {
    var open, decode, tile, vision, prompt, write: Double
  }

  /// A box in pixels of the upright picture.
  struct Box: Encodable {
    var label: String
    var left, top, right, bottom: Int
    /// As the model wrote it: left, top, right, bottom, 0...999.
    var grid: [Int]
  }

  /// Under `--each`, the picture that was asked about.
  var picture: String?
  var answer: String
  var ending: Session.Ending
  var boxes: [Box]
  /// What of the answer's boxes was left out.
  var notes: [String]
  var promptTokens: Int
  /// Of these, the ones that a conversation had read before.
  private let cachedTokens: Int
  var answerTokens: Int
  var tiles: Int
  var threads: Int
  /// Where a temperature was given.
  var seed: UInt64?
  var seconds: Seconds
  var writeTokensPerSecond: Double?
  var peakAnonymousBytes: Int
  var peakFileBackedBytes: Int
  var demonstration: Bool
  /// Since the model was opened.
  var weights: WeightStatistics

  enum CodingKeys: String, CodingKey {
    case picture, answer, ending, boxes, notes, tiles, threads, seed, seconds, demonstration, weights
    case promptTokens = "prompt_tokens"
    case answerTokens = "answer_tokens"
    case writeTokensPerSecond = "write_tokens_per_second"
    case peakAnonymousBytes = "peak_anonymous_bytes"
    case peakFileBackedBytes = "peak_file_backed_bytes"
  }

  /// - Parameter boxed: the picture that boxes lie on.
  init(
    _ answer: Session.Answer, grounding: Grounding, boxed: Picture?, sampling: Sampling, model: Model,
    open: Double, decode: Double, picture: String?
  ) {
    self.picture = picture
    self.answer = answer.text
    ending = answer.ending
    boxes = grounding.spans.flatMap { span in
      span.boxes.map { box in
        let pixels = box.pixels(width: boxed?.width ?? 999, height: boxed?.height ?? 999)
        return Box(
          label: span.label, left: pixels.left, top: pixels.top, right: pixels.right, bottom: pixels.bottom,
          grid: [box.x1, box.y1, box.x2, box.y2])
      }
    }
    notes = grounding.notes.map(\.description)
    promptTokens = answer.promptTokens
    cachedTokens = answer.cachedTokens
    answerTokens = answer.tokens.count
    tiles = answer.tiles
    threads = model.threads
    seed = sampling.temperature > 0 ? sampling.seed : nil
    seconds = Seconds(
      open: open, decode: decode, tile: answer.seconds.tiling, vision: answer.seconds.vision,
      prompt: answer.seconds.prefill, write: answer.seconds.decode)
    // The first token falls to the prompt.
    let written = answer.tokens.count - (answer.ending == .complete ? 0 : 1)
    writeTokensPerSecond =
      written > 0 && answer.seconds.decode > 0 ? Double(written) / answer.seconds.decode : nil
    peakAnonymousBytes = answer.memory.anonymous
    peakFileBackedBytes = answer.memory.fileBacked
    weights = model.weightStatistics
    demonstration = model.file.manifest.origin.demonstration
  }

  /// What reading weights took, since the model was opened.
  private var weightsTable: String {
    func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
    var text = String(
      format: "weights  %d experts wanted, checksums %.2f s; peaks: tower %@, decoder %@",
      weights.expertsTouched, weights.checkSeconds, mebibytes(weights.towerPeakBytes),
      mebibytes(weights.decoderPeakBytes))
    guard let hits = weights.hits, let misses = weights.misses, let ahead = weights.readAhead,
      let slots = weights.slots, let bytes = weights.bytesRead, let waited = weights.secondsWaited,
      let guesses = weights.guesses, let right = weights.rightGuesses
    else { return text + "\n         mapped: the system decides what stays in memory" }
    text += "\n         \(slots) slots: \(hits) hits, \(ahead) read ahead, \(misses) misses"
    text += String(
      format: "\n         %@ read, waited %.2f s, %d of %d guesses right", mebibytes(bytes), waited, right,
      guesses)
    return text
  }

  /// What `--stats` prints: a line for each stage.
  var table: String {
    func line(_ name: String, _ seconds: Double, _ what: String = "") -> String {
      name.padding(toLength: 9, withPad: " ", startingAt: 0) + String(format: "%8.2f s", seconds)
        + (what.isEmpty ? "" : "  \(what)") + "\n"
    }
    func count(_ count: Int, _ what: String, _ seconds: Double) -> String {
      "\(count) \(what)\(count == 1 ? "" : "s")"
        + (count > 0 && seconds > 0 ? String(format: ", %.1f a second", Double(count) / seconds) : "")
    }
    var text = line("opening", seconds.open + seconds.decode)
    text += line("looking", seconds.tile + seconds.vision, count(tiles, "tile", seconds.vision))
    let remembered = cachedTokens > 0 ? " (\(cachedTokens) more were read before)" : ""
    text += line(
      "reading", seconds.prompt, count(promptTokens - cachedTokens, "token", seconds.prompt) + remembered)
    let rate = writeTokensPerSecond.map { String(format: ", %.1f a second", $0) } ?? ""
    text += line("writing", seconds.write, count(answerTokens, "token", 0) + rate)
    text +=
      "memory   \(peakAnonymousBytes >> 20) MiB of its own, \(peakFileBackedBytes >> 20) MiB of the model's file"
    text += "\n" + weightsTable
    if let seed { text += "\nseed     \(seed)" }
    return text + "\n"
  }
}

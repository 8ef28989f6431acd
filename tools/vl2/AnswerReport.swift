import VL2Base
import VL2Console
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
  var ending: Ending
  var boxes: [Box]
  /// What was left out of the answer's boxes.
  var notes: [String]
  var promptTokens: Int
  /// How many of these a conversation had read before.
  private let cachedTokens: Int
  var answerTokens: Int
  var tiles: Int
  var threads: Int
  /// nil unless a temperature was given.
  var seed: UInt64?
  var seconds: Seconds
  var writeTokensPerSecond: Double?
  var peakAnonymousBytes: Int
  var peakFileBackedBytes: Int
  var demonstration: Bool
  /// Since the model was opened.
  var weights: WeightStatistics

  enum CodingKeys: String, CodingKey {
    case picture, answer, ending, boxes, notes, promptTokens, answerTokens, tiles, threads, seed, seconds
    case writeTokensPerSecond, peakAnonymousBytes, peakFileBackedBytes, demonstration, weights
  }

  /// - Parameter boxed: the part of the picture that the boxes refer to.
  init(
    _ answer: Answer, boxed: PixelBox?, sampling: Sampling, engine: Engine, weights: WeightStatistics,
    open: Double, decode: Double, picture: String?
  ) {
    let counts = answer.counts
    self.picture = picture
    self.answer = answer.text
    ending = answer.ending
    boxes = answer.grounding.spans.flatMap { span in
      span.boxes.map { box in
        let pixels = boxed.map { box.pixels(on: $0) } ?? box.pixels(width: 999, height: 999)
        return Box(
          label: span.label, left: pixels.left, top: pixels.top, right: pixels.right, bottom: pixels.bottom,
          grid: [box.x1, box.y1, box.x2, box.y2])
      }
    }
    notes = answer.grounding.notes.map(\.description)
    promptTokens = counts.promptTokens
    cachedTokens = counts.cachedTokens
    answerTokens = counts.writtenTokens
    tiles = counts.tiles
    threads = engine.threads
    seed = sampling.temperature > 0 ? sampling.seed : nil
    seconds = Seconds(
      open: open, decode: decode, tile: counts.seconds.tiling, vision: counts.seconds.vision,
      prompt: counts.seconds.prefill, write: counts.seconds.decode)
    // The first token counts as part of the prompt.
    let written = counts.writtenTokens - (answer.ending == .complete ? 0 : 1)
    writeTokensPerSecond =
      written > 0 && counts.seconds.decode > 0 ? Double(written) / counts.seconds.decode : nil
    peakAnonymousBytes = answer.memory.anonymous
    peakFileBackedBytes = answer.memory.fileBacked
    self.weights = weights
    demonstration = engine.demonstrationNotice != nil
  }

  /// What `--stats` prints: a line for each stage, and what memory and weights took.
  var table: String {
    func count(_ count: Int, _ what: String, _ seconds: Double = 0) -> String {
      "\(count) \(what)\(count == 1 ? "" : "s")"
        + (count > 0 && seconds > 0 ? rate(Double(count) / seconds) : "")
    }
    func rate(_ perSecond: Double) -> String { ", \(NumberText.fixed(perSecond, 1)) a second" }
    var table = TextTable(alignment: "lrl")
    func add(_ stage: String, _ seconds: Double, _ what: String = "") {
      table.append([stage, NumberText.fixed(seconds, 2) + " s", what])
    }
    add("opening", seconds.open + seconds.decode)
    add("looking", seconds.tile + seconds.vision, count(tiles, "tile", seconds.vision))
    let remembered = cachedTokens > 0 ? " (\(cachedTokens) more were read before)" : ""
    add(
      "reading", seconds.prompt, count(promptTokens - cachedTokens, "token", seconds.prompt) + remembered)
    add("writing", seconds.write, count(answerTokens, "token") + (writeTokensPerSecond.map(rate) ?? ""))
    let (own, file) = (ByteSize(bytes: peakAnonymousBytes), ByteSize(bytes: peakFileBackedBytes))
    table.append(["memory", "", "\(own) of its own, \(file) of the model's file"])
    for (place, line) in weightLines.enumerated() { table.append([place == 0 ? "weights" : "", "", line]) }
    if let seed { table.append(["seed", "", "\(seed)"]) }
    return table.text
  }

  /// What reading weights took, since the model was opened.
  private var weightLines: [String] {
    let peaks = (ByteSize(bytes: weights.towerPeakBytes), ByteSize(bytes: weights.decoderPeakBytes))
    let first =
      "\(weights.expertsTouched) experts wanted, checksums \(NumberText.fixed(weights.checkSeconds, 2)) s; "
      + "peaks: tower \(peaks.0), decoder \(peaks.1)"
    guard let hits = weights.hits, let misses = weights.misses, let ahead = weights.readAhead,
      let slots = weights.slots, let bytes = weights.bytesRead, let waited = weights.secondsWaited,
      let guesses = weights.guesses, let right = weights.rightGuesses
    else { return [first, "mapped: the system decides what stays in memory"] }
    return [
      first, "\(slots) slots: \(hits) hits, \(ahead) read ahead, \(misses) misses",
      "\(ByteSize(bytes: bytes)) read, waited \(NumberText.fixed(waited, 2)) s, \(right) of \(guesses) guesses right",
    ]
  }
}

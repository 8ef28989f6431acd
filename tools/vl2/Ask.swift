import ArgumentParser
import Foundation
import VL2Quant
import VL2Run

struct Ask: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answers a question, about pictures or without.",
    usage: "vl2 ask [--model FILE] [PICTURE...] QUESTION",
    discussion: """
      The answer goes to standard output as it is written, everything else to standard error.

        vl2 ask --model tiny.vl2q photo.jpg "What is in the picture?"
      """)

  @OptionGroup var options: ModelOptions

  @Option(help: "Tokens to write at the most.")
  var maxTokens = 512

  @Option(help: "Text that tells the model how to behave, before the question.")
  var system: String?

  @Flag(help: "Print one JSON object with the answer, token counts, seconds and memory.")
  var json = false

  @Argument(help: "Pictures (JPEG or PNG), then the question; - reads the question from standard input.")
  var words: [String]

  func validate() throws {
    if let last = words.last, Self.namesPicture(last) {
      throw ValidationError("\(last) is a picture; write the question after it.")
    }
    if maxTokens < 1 { throw ValidationError("--max-tokens \(maxTokens): give at least 1.") }
  }

  func run() throws {
    let clock = ContinuousClock()
    let begin = clock.now
    let question = try words.last == "-" ? readStandardInput() : words[words.count - 1]
    guard !question.allSatisfy(\.isWhitespace) else { throw ValidationError("The question is empty.") }

    let model = try options.open()
    let opened = clock.now
    if let notice = model.demonstrationNotice { VL2.report(notice) }
    let pictures = try words.dropLast().map { try Picture(contentsOf: $0) }
    let decoded = clock.now

    var turns = system.map { [Turn(role: .system, text: $0)] } ?? []
    turns.append(Turn(role: .user, text: question))
    let request = Session.Request(turns: turns, pictures: pictures, maxTokens: maxTokens)
    var status = StatusLine()
    defer { status.clear() }
    let answer = try Session(model).answer(request) { piece in
      status.clear()
      if !json { FileHandle.standardOutput.write(Data(piece.utf8)) }
      return true
    } onProgress: { progress in
      switch progress {
      case .encoding(let tiles, let all): status.show("looking: \(tiles) of \(all) tiles")
      case .reading(let tokens, let all): status.show("reading: \(tokens) of \(all) tokens")
      }
    }
    if json {
      let report = Report(
        answer, model: model, open: seconds(opened - begin), decode: seconds(decoded - opened))
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      FileHandle.standardOutput.write(try encoder.encode(report))
    }
    FileHandle.standardOutput.write(Data("\n".utf8))
  }

  /// Whether a word is a picture's file rather than a question.
  private static func namesPicture(_ word: String) -> Bool {
    [".jpg", ".jpeg", ".png"].contains { word.lowercased().hasSuffix($0) }
      && FileManager.default.fileExists(atPath: word)
  }

  private func readStandardInput() throws -> String {
    let data = FileHandle.standardInput.readDataToEndOfFile()
    guard let text = String(validating: data, as: UTF8.self) else {
      throw ValidationError("The question on standard input is not UTF-8 text.")
    }
    return text
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}

extension Ask {
  /// What `--json` prints.
  struct Report: Encodable {
    struct Seconds: Encodable {
      var open, decode, tile, vision, prompt, write: Double
    }

    var answer: String
    var ending: Session.Ending
    var promptTokens: Int
    var answerTokens: Int
    var tiles: Int
    var threads: Int
    var seconds: Seconds
    var writeTokensPerSecond: Double?
    var peakAnonymousBytes: Int
    var peakFileBackedBytes: Int
    var demonstration: Bool

    enum CodingKeys: String, CodingKey {
      case answer, ending, tiles, threads, seconds, demonstration
      case promptTokens = "prompt_tokens"
      case answerTokens = "answer_tokens"
      case writeTokensPerSecond = "write_tokens_per_second"
      case peakAnonymousBytes = "peak_anonymous_bytes"
      case peakFileBackedBytes = "peak_file_backed_bytes"
    }

    init(_ answer: Session.Answer, model: Model, open: Double, decode: Double) {
      self.answer = answer.text
      ending = answer.ending
      promptTokens = answer.promptTokens
      answerTokens = answer.tokens.count
      tiles = answer.tiles
      threads = model.threads
      seconds = Seconds(
        open: open, decode: decode, tile: answer.seconds.tiling, vision: answer.seconds.vision,
        prompt: answer.seconds.prompt, write: answer.seconds.writing)
      // The first token falls to the prompt.
      let written = answer.tokens.count - (answer.ending == .complete ? 0 : 1)
      writeTokensPerSecond =
        written > 0 && answer.seconds.writing > 0 ? Double(written) / answer.seconds.writing : nil
      peakAnonymousBytes = answer.memory.anonymous
      peakFileBackedBytes = answer.memory.fileBacked
      demonstration = model.file.manifest.origin.demonstration
    }
  }
}

import FoundationEssentials
import VL2Base
import VL2Run

/// A question of a benchmark with what is right.
package struct BenchmarkItem: Sendable {
  /// What the file calls it.
  package let index: String
  /// The line of the file in which it begins.
  package let line: Int
  /// What the columns `split`, `l2-category` and `category` say; of those that the file has.
  package let groups: [String: String]
  package let question: [Turn.Part]
  /// Encoded pictures, or their paths.
  let pictures: [Source]
  private let key: Key
  private let file: String

  enum Source: Sendable {
    case bytes([UInt8])
    case path(String)
  }

  /// What an answer is held against.
  enum Key: Sendable {
    case texts([String], Yardstick.Rule, category: String?)
    case plain([AnswerText])
    case choice(String, [ChoiceLetter.Choice])
    /// The right box in pixels of a picture of this size, or in fractions of one; nil where the picture says its size.
    case box([Double], width: Double?, height: Double?)
  }

  init(
    index: String, line: Int, groups: [String: String], question: [Turn.Part], pictures: [Source], key: Key,
    file: String
  ) {
    self.index = index
    self.line = line
    self.groups = groups
    self.question = question
    self.pictures = pictures
    self.key = key
    self.file = file
  }

  /// The pictures, decoded.
  ///
  /// - Throws: `FileError` with the item's line.
  package func decoded(background: Background) throws -> [Picture] {
    try told {
      try pictures.enumerated().map { number, source in
        switch source {
        case .path(let path): return try Picture(contentsOf: path, background: background)
        case .bytes(let bytes):
          let name = pictures.count > 1 ? "picture \(number + 1)" : "its picture"
          return try Picture(data: bytes, name: name, background: background)
        }
      }
    }
  }

  /// The model's answer, written greedily.
  ///
  /// - Throws: `FileError` with the item's line where the prompt does not fit.
  package func answer(
    _ pictures: [Picture], by engine: Engine, maxTokens: Int, onEvent: (AnswerEvent) throws -> Void
  ) async throws -> String {
    do {
      let turns = [Turn.user(question, pictures: pictures)]
      return try await engine.answer(Question(turns, maxTokens: maxTokens)).answer(onEvent: onEvent).text
    } catch let error as any ReportableError {
      throw FileError(error.kind, file, line: line, error.problem, error.hint)
    }
  }

  /// 0...1, by the benchmark's rule. Special tokens and full stops at the end are no part of what is compared, as in
  /// VLMEvalKit (`vlmeval/vlm/deepseek_vl2.py`).
  ///
  /// - Parameter size: of the picture, for boxes.
  package func score(_ answer: String, size: (width: Int, height: Int)) -> Double {
    switch key {
    case .plain(let right): return right.contains(AnswerText(answer)) ? 1 : 0
    case .choice(let right, let choices):
      return ChoiceLetter.score(Self.prediction(answer), right: right, choices: choices)
    case .box(let right, let width, let height):
      let (width, height) = (width ?? Double(size.width), height ?? Double(size.height))
      guard let found = ReferredBox(answer: answer, width: width, height: height) else { return 0 }
      let scale = right.allSatisfy { abs($0) <= 1.5 } ? [width, height, width, height] : [1, 1, 1, 1]
      let wanted = ReferredBox(zip(right, scale).map { $0 * $1 })
      return found.intersectionOverUnion(wanted) >= ReferredBox.leastOverlap ? 1 : 0
    case .texts(let right, let rule, let category):
      let answer = Self.prediction(answer)
      switch rule {
      case .relaxed: return RelaxedAccuracy.score(answer, right)
      case .consensus: return ConsensusAccuracy.score(answer, right)
      case .similarity: return EditSimilarity.score(answer, right)
      case .recognition: return TextRecognition.score(answer, right, category: category)
      default:
        let answer = answer.strippedAsPython.lowercased()
        return right.contains { $0.strippedAsPython.lowercased().isSame(as: answer) } ? 1 : 0
      }
    }
  }

  private static let marks = ["<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>"]

  private static func prediction(_ answer: String) -> String {
    var text = marks.reduce(answer) { $0.replacing($1, with: "") }
    while text.unicodeScalars.last == "." { text.unicodeScalars.removeLast() }
    return text
  }

  /// 64 hexadecimal digits that tell this item, with these pictures and under these settings, from every other.
  ///
  /// - Parameter settings: whatever else answers depend on.
  package func identity(_ settings: String) throws -> String {
    let hash = SHA256()
    func add(_ bytes: [UInt8]) {
      Array("\(bytes.count) ".utf8).withUnsafeBytes(hash.append)
      bytes.withUnsafeBytes(hash.append)
    }
    add(Array(settings.utf8))
    add(Array("\(index) \(key)".utf8))
    for part in question {
      if case .text(let text) = part { add(Array(text.utf8)) }
    }
    try told {
      for source in pictures {
        switch source {
        case .bytes(let bytes): add(bytes)
        case .path(let path):
          let picture = try InputFile(path: path)
          add(try picture.bytes(0..<picture.length))
        }
      }
    }
    return hash.finish()
  }

  private func told<Result>(_ work: () throws -> Result) throws -> Result {
    do {
      return try work()
    } catch let error as any ReportableError {
      throw FileError(error.kind, file, line: line, error.problem, error.hint)
    }
  }
}

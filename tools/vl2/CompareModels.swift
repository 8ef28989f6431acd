import FoundationEssentials
import Glibc
import VL2Base
import VL2Console
import VL2Measure
import VL2Run

/// `vl2 eval --against`: how close a model is to a reference on the user's own pictures and questions.
struct CompareModels {
  /// Packed models: the one to be judged, and the reference.
  var model: Model
  var reference: Model
  /// A folder of pictures.
  var images: String
  /// A file with one question a line.
  var questions: String
  /// What transparent pictures are laid on.
  var background: Background
  /// The most cases to compare.
  var limit: Int?
  var maxTokens: Int

  /// Compares, with a status line on a terminal.
  func run() throws -> Report {
    let asked = try Self.lines(of: questions)
    let pictures = try PictureFolder.names(in: images)
    let comparison = try ModelComparison(model, reference: reference)
    let cases = pictures.flatMap { picture in asked.map { (picture, $0) } }.prefix(limit ?? .max)
    var answers: [ModelComparison.Answer] = []
    let status = StatusLine()
    defer { status.clear() }
    let begin = ContinuousClock.now
    for (picture, question) in cases {
      status.show("comparing: \(answers.count) of \(cases.count) answers")
      answers.append(
        try comparison.ask(
          question, about: try Picture(contentsOf: images + "/" + picture, background: background),
          name: picture, maxTokens: maxTokens))
    }
    return Report(
      answers, reference: reference.file.path, seconds: (ContinuousClock.now - begin) / .seconds(1))
  }

  /// Lines that hold a question; blank ones are skipped.
  static func lines(of path: String) throws -> [String] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(
        .noInput, "\(path): no such file, or not readable", "give a file with one question a line")
    }
    guard let text = String(validating: ByteOrderMark.dropped(from: data), as: UTF8.self) else {
      throw Failure(.badData, "\(path): not UTF-8 text", "give a file with one question a line")
    }
    let lines = text.split(whereSeparator: \.isNewline).map(String.init).filter {
      !$0.allSatisfy(\.isWhitespace)
    }
    guard !lines.isEmpty else {
      throw Failure(.badData, "\(path): holds no questions", "write one a line")
    }
    return lines
  }
}

extension CompareModels {
  /// What is printed.
  struct Report: Encodable {
    struct Answer: Encodable {
      var picture: String
      var question: String
      var tokens: Int
      var agreement: Double
      var meanKL: Double
      var largestKL: Double
      var reference: String
      var model: String
      var differs: Bool

      enum CodingKeys: String, CodingKey {
        case picture, question, tokens, meanKL, largestKL, reference, model, differs
        case agreement = "top_token_agreement"
      }
    }

    struct Overall: Encodable {
      var answers: Int
      var differing: Int
      var tokens: Int
      var agreement: Double
      var meanKL: Double
      var largestKL: Double
      var seconds: Double

      enum CodingKeys: String, CodingKey {
        case answers, differing, tokens, meanKL, largestKL, seconds
        case agreement = "top_token_agreement"
      }
    }

    var against: String
    var answers: [Answer]
    var overall: Overall

    init(_ compared: [ModelComparison.Answer], reference: String, seconds: Double) {
      against = reference
      answers = compared.map {
        let tokens = Double(max(1, $0.tokens))
        return Answer(
          picture: $0.picture, question: $0.question, tokens: $0.tokens,
          agreement: Double($0.agreeing) / tokens, meanKL: $0.divergence / tokens,
          largestKL: $0.largestDivergence, reference: $0.referenceText, model: $0.modelText,
          differs: $0.referenceText != $0.modelText)
      }
      let tokens = compared.reduce(0) { $0 + $1.tokens }
      overall = Overall(
        answers: compared.count, differing: answers.filter(\.differs).count, tokens: tokens,
        agreement: Double(compared.reduce(0) { $0 + $1.agreeing }) / Double(max(1, tokens)),
        meanKL: compared.reduce(0) { $0 + $1.divergence } / Double(max(1, tokens)),
        largestKL: compared.map(\.largestDivergence).max() ?? 0, seconds: seconds)
    }

    var text: String {
      var table = TextTable(alignment: "ll")
      table.append(["answers that differ", "\(overall.differing) of \(overall.answers)"])
      table.append([
        "top-token agreement", "\(NumberText.percent(overall.agreement, 2)) of \(overall.tokens) tokens",
      ])
      let largest = NumberText.fixed(overall.largestKL, 4)
      table.append(["mean KL", "\(NumberText.fixed(overall.meanKL, 5)) nats a token (largest \(largest))"])
      var text = table.text
      for answer in answers where answer.differs {
        text += "\n\(UntrustedText.line(answer.picture)): \(UntrustedText.line(answer.question))\n"
        text +=
          "  reference  \(UntrustedText.line(answer.reference))\n  model      \(UntrustedText.line(answer.model))\n"
      }
      return text
    }
  }
}

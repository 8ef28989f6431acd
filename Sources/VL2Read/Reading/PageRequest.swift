import VL2Base
import VL2Run

/// What is asked for of each page, and how.
package struct PageRequest: Sendable {
  package var format: PageFormat
  /// What a page's value has to look like; nil for text.
  package var schema: JSONSchema?
  /// In place of the prompt made for the format; it holds for pages and their parts.
  package var prompt: String?
  /// Quarter turns clockwise.
  package var quarterTurns = 0
  package var columns = ColumnCount.found
  /// The most lines that are read at once.
  package var mostLines: Int?
  /// The longest answer in tokens.
  package var maxTokens = 2048
  /// Of a picture.
  package var mostTiles: Int?

  package init(format: PageFormat) { self.format = format }

  /// - Parameter isPart: whether the picture shows a part of a page.
  package func prompt(isPart: Bool) -> String {
    if let prompt { return prompt }
    let what = isPart ? "This is a part of a page." : "This is a page."
    switch format {
    case .markdown:
      return
        "\(what) Write all of its text as Markdown, line by line in the order of reading, with headings, lists and tables as they are. Write nothing else."
    case .text:
      return "\(what) Write all of its text, line by line in the order of reading. Write nothing else."
    case .csv:
      return
        "\(what) Write its tables as CSV: one row of a table on each line, cells separated by commas. Write nothing else."
    case .json where schema != nil: return "\(what) Give what it says as JSON."
    case .json:
      return "\(what) Write all of its text, line by line in the order of reading. Write nothing else."
    }
  }

  /// A page as it is to be read.
  func turned(_ picture: Picture) -> Picture {
    let orientations: [Orientation] = [.upright, .needsClockwise, .turnedHalf, .needsCounterClockwise]
    return picture.turnedUpright(from: orientations[quarterTurns & 3])
  }

  /// How the pages are read of a document of which one value is made: its question and schema come after them.
  package var forPages: PageRequest {
    var request = self
    // Tables stay what they are.
    (request.format, request.schema, request.prompt) = (.markdown, nil, nil)
    return request
  }

  /// - Parameter isPart: whether the picture shows a part of a page.
  package func question(_ picture: Picture, isPart: Bool) -> Question {
    var question = Question(prompt(isPart: isPart), pictures: [picture], maxTokens: maxTokens)
    question.tileLimit = mostTiles.map { .tiles($0) } ?? .context
    if let schema { question.form = .schema(schema) }
    return question
  }
}

/// What was read of a picture.
package struct PartAnswer: Sendable, Equatable {
  package var text: String
  /// Whether it ended before its end: the answer was too long, or went round in circles.
  package var isCut: Bool

  package init(text: String, isCut: Bool) {
    self.text = text
    self.isCut = isCut
  }

  /// What it says under a schema.
  var value: PageContent {
    guard let value = try? JSONReader.read(Array(text.utf8)) else {
      return .failed("the answer is no whole JSON text; a higher --max-tokens may help")
    }
    return .value(value, isCut: isCut)
  }
}

import FoundationEssentials
import VL2Base
import VL2Run

/// The columns of a benchmark's table, and how a row of it becomes an item.
struct BenchmarkColumns {
  /// What pandas reads as a cell that is not there, in its own words.
  private static let missing: Set<String> = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null",
  ]
  /// Bytes of the longest cell that holds no picture. What is made of a text takes several times as much.
  private static let longestText = 1 << 20
  private static let letters = (UInt8(ascii: "A")...UInt8(ascii: "Z")).map { String(UnicodeScalar($0)) }
  private static let groupNames = ["split", "l2-category", "category"]

  private let yardstick: Yardstick
  private let path: String
  private let places: [String: Int]
  private let count: Int
  let picture: Int?
  let index: Int

  /// - Parameter header: the first row.
  /// - Throws: `FileError` where a column is missing that the benchmark needs.
  init(_ header: TSVRow, _ yardstick: Yardstick, path: String) throws {
    self.yardstick = yardstick
    self.path = path
    func problem(_ text: String, _ hint: Hint = .none) -> FileError {
      FileError(.badData, path, line: header.line, text, hint)
    }
    var places: [String: Int] = [:]
    for (place, cell) in header.cells.enumerated() {
      guard let cell = String(validating: ByteOrderMark.dropped(from: cell), as: UTF8.self) else {
        throw problem("the names of the columns are not UTF-8")
      }
      let name = Self.letters.contains(cell) ? cell : cell.lowercased()
      guard places.updateValue(place, forKey: name) == nil else {
        throw problem("there are two columns \(UntrustedText.quoted(cell))")
      }
    }
    func need(_ name: String) throws -> Int {
      guard let place = places[name] else {
        throw problem(
          "there is no column \"\(name)\"",
          "the first line names the columns, with tabs between them: index, image or image_path, question, answer, ..."
        )
      }
      return place
    }
    index = try need("index")
    _ = try need("question")
    picture = places["image"]
    if picture == nil { _ = try need(places["image_path"] == nil ? "image" : "image_path") }
    if yardstick.rule == .choice { _ = try need("A") }
    if yardstick.rule == .recognition { _ = try need("category") }
    if yardstick.rule != .overlap || Self.boxColumns(places) == nil { _ = try need("answer") }
    self.places = places
    count = header.cells.count
  }

  private static func boxColumns(_ places: [String: Int]) -> [Int]? {
    for names in [["bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2"], ["x1", "y1", "x2", "y2"]] {
      let found = names.compactMap { places[$0] }
      if found.count == 4 { return found }
    }
    return nil
  }

  /// - Throws: `FileError` for a row of another length than the header.
  func check(_ row: TSVRow) throws {
    guard row.cells.count == count else {
      throw problem(row, "the row has \(row.cells.count) cells, the first line names \(count) columns")
    }
  }

  func problem(_ row: TSVRow, _ text: String, _ hint: Hint = .none) -> FileError {
    FileError(.badData, path, line: row.line, text, hint)
  }

  /// What a cell says; nil where it is missing or there is no such column.
  func value(_ row: TSVRow, _ name: String) throws -> String? {
    guard let text = try text(row, name), !Self.missing.contains(text) else { return nil }
    return text
  }

  /// What a cell says, also where it says `None`.
  private func text(_ row: TSVRow, _ name: String) throws -> String? {
    guard let place = places[name] else { return nil }
    guard row.cells[place].count <= Self.longestText else {
      throw problem(
        row, "\(name) is over \(Self.longestText >> 20) MiB", "is a quotation mark missing before it?")
    }
    guard let text = String(validating: row.cells[place], as: UTF8.self) else {
      throw problem(row, "\(name) is not UTF-8", "write the file in UTF-8")
    }
    return text
  }

  /// The item of a row, whose pictures were found.
  ///
  /// - Throws: `FileError`.
  func item(_ row: TSVRow, pictures: [BenchmarkItem.Source]) throws -> BenchmarkItem {
    guard let index = try text(row, "index"), !index.isEmpty else { throw problem(row, "index is empty") }
    var groups: [String: String] = [:]
    for name in Self.groupNames where places[name] != nil {
      groups[name] = UntrustedText.line(try value(row, name) ?? "none")
    }
    return BenchmarkItem(
      index: index, line: row.line, groups: groups, question: try question(row), pictures: pictures,
      key: try key(row, category: groups["category"]), file: path)
  }

  private func question(_ row: TSVRow) throws -> [Turn.Part] {
    guard let question = try text(row, "question"), !question.isEmpty else {
      throw problem(row, "question is empty")
    }
    switch yardstick.prompt {
    case .question: return [.text(question)]
    case .shortAnswer: return [.text(question + "\nAnswer the question using a single word or phrase.")]
    case .place: return Grounding.question(for: Self.expression(question))
    case .choices:
      var text = try value(row, "hint").map { "Hint: \($0)\n" } ?? ""
      text += "Question: \(question)\n"
      let choices = try choices(row)
      if !choices.isEmpty {
        text += "Options:\n" + choices.map { "\($0.letter). \($0.text)\n" }.joined()
        text += "Please select the correct answer from the options above. \n"
      }
      return [.text(text)]
    }
  }

  /// What is to be found: VLMEvalKit's files have it between `<ref>` and `</ref>` in a sentence for other models.
  private static func expression(_ question: String) -> String {
    guard let open = question.firstRange(of: "<ref>") else { return question }
    let rest = question[open.upperBound...]
    return rest.firstRange(of: "</ref>").map { String(rest[..<$0.lowerBound]) } ?? question
  }

  private func choices(_ row: TSVRow) throws -> [ChoiceLetter.Choice] {
    try Self.letters.compactMap { letter in try value(row, letter).map { (letter, $0) } }
  }

  private func key(_ row: TSVRow, category: String?) throws -> BenchmarkItem.Key {
    if yardstick.rule == .overlap { return try box(row) }
    guard let answer = try text(row, "answer"), !answer.isEmpty else {
      throw problem(
        row, "answer is empty", "give a file with answers; test parts are often published without")
    }
    if yardstick.rule == .choice {
      guard Self.letters.contains(answer) else {
        throw problem(row, "answer is \(UntrustedText.quoted(answer)), not a letter from A to Z")
      }
      return .choice(answer, try choices(row))
    }
    let answers = PythonList.read(answer) ?? [answer]
    guard !answers.isEmpty else { throw problem(row, "answer is an empty list") }
    if yardstick.rule == .text { return .plain(answers.map { AnswerText($0) }) }
    if yardstick.rule == .consensus, answers.count < ConsensusAccuracy.fewestAnswers {
      throw problem(
        row, "answer is one text, and \(yardstick.name) is scored by what several people answered",
        "give a list: ['yes', 'yes', 'no']")
    }
    return .texts(answers, yardstick.rule, category: category)
  }

  private func box(_ row: TSVRow) throws -> BenchmarkItem.Key {
    func number(_ name: String) throws -> Double? {
      guard let text = try value(row, name) else { return nil }
      guard let number = text.pythonFloat, number.isFinite else {
        throw problem(row, "\(name) is \(UntrustedText.quoted(text)), not a number")
      }
      return number
    }
    var edges: [Double]?
    if let columns = Self.boxColumns(places) {
      let names = columns.compactMap { column in places.first { $0.value == column }?.key }
      let found = try names.compactMap(number)
      if found.count == 4 { edges = found }
    }
    edges = try edges ?? text(row, "answer").flatMap { ReferredBox.numbers(in: $0) }
    guard let edges else {
      throw problem(row, "there is no right box", "give four numbers: [x1, y1, x2, y2]")
    }
    func size(_ name: String) throws -> Double? { try number(name).flatMap { $0 > 0 ? $0 : nil } }
    return .box(edges, width: try size("width"), height: try size("height"))
  }
}

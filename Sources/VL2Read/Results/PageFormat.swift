import VL2Base

/// What was read of a page.
package enum PageContent: Sendable, Equatable {
  case text(String)
  /// A value that fits a schema; `isCut` where its answer was ended before it was complete, so something may be missing.
  case value(JSONValue, isCut: Bool = false)
  /// Nothing is on it.
  case blank
  /// It could not be read.
  case failed(String)
}

/// How pages are written.
package enum PageFormat: String, Sendable, CaseIterable {
  case markdown = "md"
  case text
  case json
  case csv

  /// What comes before the first page.
  package var head: String { self == .csv ? "page,cells\n" : "" }

  /// A page with its number.
  ///
  /// - Parameter file: what the page belongs to; nil where there is one file only.
  package func page(_ number: Int, of file: String?, _ content: PageContent) -> String {
    switch self {
    case .markdown: "<!-- \(Self.name(number, file).replacing("--", with: "- -")) -->\n\n" + body(content)
    case .text: "[\(Self.name(number, file))]\n\n" + body(content)
    case .json: json(number, file, content)
    case .csv: csv(number, file, content)
    }
  }

  private static func name(_ number: Int, _ file: String?) -> String {
    (file.map { UntrustedText.line($0) + ", " } ?? "") + "page \(number)"
  }

  private func body(_ content: PageContent) -> String {
    switch content {
    case .text(let text): text + "\n\n"
    case .value(let value, _): String(decoding: value.json, as: UTF8.self) + "\n\n"
    case .blank: ""
    case .failed(let reason): "(not read: \(UntrustedText.line(reason)))\n\n"
    }
  }

  private func json(_ number: Int, _ file: String?, _ content: PageContent) -> String {
    Self.line([("page", .integer(number))], file, content)
  }

  /// A whole document as a line of JSON.
  ///
  /// - Parameters:
  ///   - pages: those that were read.
  ///   - file: as above.
  ///   - notRead: the numbers of pages that could not be, so that nothing of them is in the value.
  package static func document(
    _ pages: ClosedRange<Int>, of file: String?, _ content: PageContent, notRead: [Int]
  ) -> String {
    let numbers = pages.count == 1 ? "\(pages.lowerBound)" : "\(pages.lowerBound)-\(pages.upperBound)"
    var members: [(String, JSONValue)] = [("pages", .text(numbers))]
    if !notRead.isEmpty { members.append(("not_read", .array(notRead.map { .integer($0) }))) }
    return line(members, file, content)
  }

  private static func line(
    _ members: [(String, JSONValue)], _ file: String?, _ content: PageContent
  ) -> String {
    var object: JSONValue = [:]
    if let file { object.append("file", .text(file)) }
    for (key, value) in members { object.append(key, value) }
    switch content {
    case .text(let text): object.append("text", .text(text))
    case .value(let value, let isCut):
      if isCut { object.append("cut", true) }
      object.append("data", value)
    case .blank: object.append("text", "")
    case .failed(let reason): object.append("error", .text(reason))
    }
    return String(decoding: object.json, as: UTF8.self) + "\n"
  }

  private func csv(_ number: Int, _ file: String?, _ content: PageContent) -> String {
    guard case .text(let text) = content else { return "" }
    let begin = (file.map { [$0] } ?? []) + ["\(number)"]
    return CSVRows.rows(text).map { CSVRows.line(begin + $0) }.joined()
  }

  /// The kind of file that a result is. It takes the place of another only where that has the same ending, or begins as a result
  /// does.
  package var kind: ResultKind {
    switch self {
    case .markdown:
      ResultKind("Markdown", endings: [".md", ".markdown"]) { $0.starts(with: "<!-- ".utf8) }
    case .text: ResultKind("a text", endings: [".txt", ".text"]) { $0.starts(with: "[page ".utf8) }
    case .json: ResultKind("JSON lines", endings: [".jsonl", ".json"]) { $0.first == UInt8(ascii: "{") }
    case .csv: ResultKind("CSV", endings: [".csv"]) { $0.starts(with: "page,cells\n".utf8) }
    }
  }
}

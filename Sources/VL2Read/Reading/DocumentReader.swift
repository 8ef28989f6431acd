import VL2Base
import VL2Run

/// Reads documents page by page.
package struct DocumentReader {
  /// What happens on the way.
  package enum Event: Sendable {
    /// A page is begun; `done` of `all` are over.
    case page(Int, path: String, done: Int, all: Int)
    /// All pages of a document are read, and a value is made of them.
    case value(path: String)
    /// What a reader of the result should know of a page.
    case note(String)
  }

  private let documents: [Document]
  private let format: PageFormat
  private let background: Background
  /// Whether text that a file has is copied.
  private let copiesText: Bool
  /// Where pages are read that are not copied. The model is opened when it is first needed.
  private let reader: (_ note: @escaping (String) -> Void) async throws -> PageReader
  private let tell: (Event) -> Void

  package init(
    _ documents: [Document], format: PageFormat, background: Background, copiesText: Bool,
    reader: @escaping (_ note: @escaping (String) -> Void) async throws -> PageReader,
    tell: @escaping (Event) -> Void
  ) {
    self.documents = documents
    self.format = format
    self.background = background
    self.copiesText = copiesText
    self.reader = reader
    self.tell = tell
  }

  package static func pageCount(_ documents: [Document]) -> Int {
    documents.reduce(0) { $0 + $1.pages.count }
  }

  /// Reads all pages but the first ones.
  ///
  /// - Parameters:
  ///   - skipping: how many pages are over.
  ///   - write: takes a page as it goes into the result.
  /// - Throws: what ends the work: that of `reader`, `write` and the programs' limits. A page that is broken does not.
  package func read(
    skipping: Int, write: (_ page: String, _ isFailure: Bool) async throws -> Void
  ) async throws {
    let all = Self.pageCount(documents)
    var done = 0
    for document in documents {
      for page in document.pages {
        defer { done += 1 }
        guard done >= skipping else { continue }
        tell(.page(page, path: document.path, done: done, all: all))
        let content = try await content(page, of: document)
        var isFailure = false
        if case .failed(let reason) = content {
          isFailure = true
          note(page, document, "not read: \(reason)")
        }
        let file = documents.count > 1 ? document.path : nil
        try await write(format.page(page, of: file, content), isFailure)
      }
    }
  }

  /// Reads all documents but the first ones, and makes one value of each.
  ///
  /// - Parameters:
  ///   - skipping: how many documents are over.
  ///   - kept: what was read of the next one before, from its first page on.
  ///   - values: what makes values of pages.
  ///   - keep: takes what was read of a page, until its document is written.
  ///   - write: takes a document as it goes into the result.
  /// - Throws: as `read`. A document that is broken, or whose text does not fit into a question, costs its own value alone.
  package func readValues(
    skipping: Int, kept: [PageContent], values: () async throws -> ValueReader,
    keep: (PageContent) async throws -> Void,
    write: (_ document: String, _ isFailure: Bool) async throws -> Void
  ) async throws {
    let all = Self.pageCount(documents)
    var before = 0
    for (index, document) in documents.enumerated() {
      defer { before += document.pages.count }
      guard index >= skipping else { continue }
      let first = document.pages.lowerBound
      var pages = index == skipping ? Array(kept.prefix(document.pages.count)) : []
      let reader = try await values()
      // Before more is read: pages that no question has room for would be read for nothing.
      var obstacle = pages.isEmpty ? nil : try await reader.obstacle(pages, from: first)
      while obstacle == nil, pages.count < document.pages.count {
        let page = first + pages.count
        tell(.page(page, path: document.path, done: before + pages.count, all: all))
        let content = try await content(page, of: document)
        if case .failed(let reason) = content { note(page, document, "not read: \(reason)") }
        try await keep(content)
        pages.append(content)
        obstacle = try await reader.obstacle(pages, from: first)
      }
      tell(.value(path: document.path))
      let value: PageContent
      if let obstacle {
        value = .failed(obstacle)
      } else {
        value = try await reader.read(pages, from: first) { page in
          try pictureIfAny(page, of: document)
        }
      }
      var isFailure = false
      switch value {
      case .failed(let reason):
        isFailure = true
        tell(.note("\(document.path): not read: \(reason)"))
      case .value(_, isCut: true):
        tell(
          .note(
            "\(document.path): its answer was ended before it was complete; a higher --max-tokens or a longer --context may help"
          ))
      default: break
      }
      let notRead = pages.indices.filter { if case .failed = pages[$0] { true } else { false } }
      let file = documents.count > 1 ? document.path : nil
      try await write(
        PageFormat.document(document.pages, of: file, value, notRead: notRead.map { first + $0 }), isFailure)
    }
  }

  /// A page that was copied need not be one that can be drawn.
  private func pictureIfAny(_ page: Int, of document: Document) throws -> Picture? {
    do {
      return try document.picture(page, background: background)
    } catch is PictureError {
      return nil
    } catch ReadError.refused {
      return nil
    }
  }

  private func content(_ page: Int, of document: Document) async throws -> PageContent {
    do {
      if copiesText {
        if let text = try document.text(page) { return .text(text) }
        note(page, document, "it has no text of its own, so it is read")
      }
      let picture = try document.picture(page, background: background)
      return try await reader { note(page, document, $0) }.read(picture)
    } catch let error as ReadError {
      // One broken page costs only its own text; a program that is missing or hangs will do so again.
      guard case .refused(_, _, let reason) = error else { throw error }
      return .failed(reason)
    } catch let error as PictureError {
      return .failed(error.line())
    }
  }

  private func note(_ page: Int, _ document: Document, _ text: String) {
    tell(.note("\(document.path), page \(page): \(text)"))
  }
}

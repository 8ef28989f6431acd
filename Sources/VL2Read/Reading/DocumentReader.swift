import VL2Base
import VL2Run

/// Reads documents page by page.
package struct DocumentReader {
  /// What happens on the way.
  package enum Event: Sendable {
    /// A page is begun; `done` of `all` are over.
    case page(Int, path: String, done: Int, all: Int)
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

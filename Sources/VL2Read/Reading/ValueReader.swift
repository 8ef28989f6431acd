import VL2Base
import VL2Run

/// Makes one value of a whole document: a question about the texts of its pages, with the picture of the first of them where
/// that fits too.
package struct ValueReader {
  private let request: PageRequest
  private let contextLength: Int
  /// The tokens of a question's prompt; it throws `PromptError` for one that does not fit.
  private let promptTokens: (Question) async throws -> Int
  private let ask: (Question) async throws -> PartAnswer

  package init(
    _ request: PageRequest, contextLength: Int, promptTokens: @escaping (Question) async throws -> Int,
    ask: @escaping (Question) async throws -> PartAnswer
  ) {
    self.request = request
    self.contextLength = contextLength
    self.promptTokens = promptTokens
    self.ask = ask
  }

  /// Why nothing can be asked about these pages; nil where something can.
  ///
  /// - Parameter pages: the contents of consecutive pages.
  /// - Throws: what `promptTokens` throws, but for prompts that are too long.
  package func obstacle(_ pages: [PageContent], from first: Int) async throws -> String? {
    let tokens: Int
    do {
      tokens = try await promptTokens(counted(question(pages, from: first, showing: nil)))
    } catch let error as PromptError {
      guard let excess = error.excess else { throw error }
      tokens = excess.tokens
    }
    guard tokens > room else { return nil }
    let last = first + pages.count - 1
    return
      "the text of \(pages.count == 1 ? "page \(first)" : "pages \(first)-\(last)") takes \(tokens) tokens, and a question has room for \(max(0, room)) of the context's \(contextLength) beside its answer; give fewer pages with --pages, a longer --context, or --per page"
  }

  /// Makes a value of pages that have no `obstacle`.
  ///
  /// - Parameter picture: gives a page as a picture; nil where there is none.
  /// - Throws: what `ask` and `picture` throw.
  package func read(
    _ pages: [PageContent], from first: Int, picture: (Int) throws -> Picture?
  ) async throws -> PageContent {
    guard let shown = pages.firstIndex(where: \.hasText) else {
      let isBlank = pages.contains(.blank)
      return isBlank ? .blank : .failed("none of its pages could be read")
    }
    var chosen = question(pages, from: first, showing: nil)
    if let picture = try picture(first + shown) {
      let more = question(pages, from: first, showing: (first + shown, request.turned(picture)))
      do {
        if try await promptTokens(counted(more)) <= room { chosen = more }
      } catch let error as PromptError where error.excess != nil {
        // Then it is asked without.
      }
    }
    return try await ask(chosen).value
  }

  /// The most tokens of a prompt beside which an answer of some length fits.
  private var room: Int { contextLength - min(request.maxTokens, contextLength / 4) }

  /// A question whose tokens alone are wanted: they do not depend on the schema.
  private func counted(_ question: Question) -> Question {
    var question = question
    question.form = .free
    return question
  }

  private func question(
    _ pages: [PageContent], from first: Int, showing shown: (page: Int, picture: Picture)?
  ) -> Question {
    var text = "This is the text of a document."
    if let shown { text += " The picture shows its page \(shown.page)." }
    for (index, page) in pages.enumerated() {
      guard case .text(let words) = page else { continue }
      text += "\n\nPage \(first + index):\n\(words)"
    }
    text += "\n\n" + (request.prompt ?? "Give what the document says as JSON.")
    var question = Question(text, pictures: shown.map { [$0.picture] } ?? [], maxTokens: request.maxTokens)
    question.tileLimit = request.mostTiles.map { .tiles($0) } ?? .context
    if let schema = request.schema { question.form = .schema(schema) }
    return question
  }
}

extension PageContent {
  fileprivate var hasText: Bool { if case .text = self { true } else { false } }
}

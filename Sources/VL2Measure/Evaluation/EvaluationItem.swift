import Glibc
import VL2Base
import VL2Run

/// A question with its right answers: one line of an items file. `docs/EVALUATING.md` specifies it.
package struct EvaluationItem: Sendable {
  /// Items with the same task are scored together.
  package let task: String
  /// A name that the file gives the item.
  package let id: String?
  /// Paths of the pictures.
  package let pictures: [String]
  /// The last turn is the user's. `<image>` marks pictures, and special tokens count.
  package let turns: [(role: Role, text: String)]
  package let expected: ExpectedAnswer
  /// The file that the item comes from.
  package let file: String
  /// The line in that file, counted from 1.
  package let line: Int

  /// The model's answer, greedily written.
  ///
  /// - Parameter background: what transparent pictures are laid on.
  /// - Throws: `FileError` with the item's file and line if a picture cannot be read or the prompt does
  ///   not fit.
  package func answer(by engine: Engine, background: Background = .white, maxTokens: Int) async throws
    -> String
  {
    do {
      let turns = try Turn.trusted(
        turns, pictures: try pictures.map { try Picture(contentsOf: $0, background: background) })
      return try await engine.answer(Question(turns, maxTokens: maxTokens)).answer().text
    } catch let error as any ReportableError {
      throw FileError(error.kind, file, line: line, error.problem, error.hint)
    }
  }
}

extension EvaluationItem {
  /// No items file needs to be larger.
  private static let maximumFileBytes = 256 << 20

  /// Reads a file of items, one JSON object a line. Blank lines are skipped, but count as lines.
  ///
  /// - Parameter limit: items to read at the most; nil for all.
  /// - Throws: `FileError` for the first line that is not an item, or that names a picture that is not there.
  package static func load(_ path: String, limit: Int? = nil) throws -> [EvaluationItem] {
    let folder = PathText.folder(of: path)
    var items: [EvaluationItem] = []
    let text = ByteOrderMark.dropped(from: try bytes(of: path))
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, text) in lines.enumerated() where items.count < limit ?? .max {
      if text.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      items.append(try EvaluationItem(Array(text), file: path, line: index + 1, folder: folder))
    }
    guard !items.isEmpty else { throw FileError(.badData, path, "holds no items") }
    return items
  }

  private static func bytes(of path: String) throws -> [UInt8] {
    let unreadable = FileError(.noInput, path, "no such file, or not readable", "give a file of items")
    // It may be a pipe.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable }
    defer { close(descriptor) }
    guard let bytes = try? Descriptor(descriptor).bytes(atMost: maximumFileBytes + 1) else {
      throw unreadable
    }
    guard bytes.count <= maximumFileBytes else {
      throw FileError(.badData, path, "over \(maximumFileBytes >> 20) MiB", "split the file")
    }
    return bytes
  }

  /// - Parameter folder: what the pictures' paths are relative to; empty for the working folder.
  private init(_ text: [UInt8], file: String, line: Int, folder: String) throws {
    do {
      let fields = try ItemFields(text)
      guard let task = try fields.name("task") else { throw ItemProblem("task is missing") }
      self.task = task
      id = try fields.name("id")
      turns = try fields.turns()
      expected = try ExpectedAnswer(try fields.required("answer"), match: try fields.match())
      let images = try fields.images()
      try Self.checkPlaces(turns, images: images.count)
      pictures = images.map { $0.hasPrefix("/") || folder.isEmpty ? $0 : folder + "/" + $0 }
    } catch let problem as ItemProblem {
      throw FileError(.badData, file, line: line, problem.text, problem.hint)
    }
    self.file = file
    self.line = line
    for picture in pictures {
      let status = FileStatus(picture)
      guard status?.isFolder == false, access(picture, R_OK) == 0 else {
        let reason = status.map { $0.isFolder ? "this is a folder" : "not readable" } ?? "no such file"
        let error = PictureError.unavailable(name: picture, reason: reason)
        throw FileError(error.kind, file, line: line, error.problem, error.hint)
      }
    }
  }

  /// Refuses what `Turn.trusted` would refuse, before any model is opened.
  private static func checkPlaces(_ turns: [(role: Role, text: String)], images: Int) throws {
    var places = 0
    for turn in turns {
      let count = Turn.pictureMarks(in: turn.text)
      guard count == 0 || turn.role == .user else {
        throw ItemProblem(PromptError.pictureOutsideUserTurn(turn.role))
      }
      places += count
    }
    guard places == 0 || places == images else {
      throw ItemProblem(PromptError.pictureCount(places: places, pictures: images))
    }
  }
}

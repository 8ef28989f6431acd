import FoundationEssentials
import VL2Base
import VL2Console
import VL2Measure
import VL2Run

/// What `vl2 calibrate` has a model read.
struct CalibrationPrompts {
  /// One of them.
  enum Prompt {
    case question(picture: String, question: String)
    case item(EvaluationItem)
    case text(tokens: [Int], number: Int)

    /// What it is called in messages.
    var name: String {
      switch self {
      case .question(let picture, let question): "\(picture): \(question)"
      case .item(let item): "\(item.file):\(item.line)"
      case .text(_, let number): "text, part \(number)"
      }
    }

    /// - Throws: `FileError` and `PictureError` naming the picture, and what `check` throws.
    func run(by calibration: Calibration, background: Background, check: () throws -> Void) throws {
      switch self {
      case .question(let picture, let question):
        let pixels = try Picture(contentsOf: picture, background: background)
        do {
          try calibration.ask([.user(question, pictures: [pixels])], check: check)
        } catch let error as PromptError {
          throw FileError(error.kind, picture, error.problem, error.hint)
        }
      case .item(let item):
        do {
          let pictures = try item.pictures.map { try Picture(contentsOf: $0, background: background) }
          try calibration.ask(try Turn.trusted(item.turns, pictures: pictures), check: check)
        } catch let error as any ReportableError {
          throw FileError(error.kind, item.file, line: item.line, error.problem, error.hint)
        }
      case .text(let tokens, _): try calibration.read(tokens, check: check)
      }
    }
  }

  private var prompts: [Prompt] = []
  private var text: String?
  private let background: Background
  private let limit: Int?
  /// Every file that is read.
  private(set) var paths: [String] = []

  /// Tokens of a piece of text, and the fewest that are worth reading.
  private static let pieceTokens = 512
  private static let fewestTokens = 16

  /// - Throws: `Failure` and `FileError` for files that are missing or hold nothing.
  init(
    images: String?, questions: String?, items: String?, text: String?, background: Background, limit: Int?
  ) throws {
    (self.background, self.limit) = (background, limit)
    if let images, let questions {
      let asked = try CompareModels.lines(of: questions)
      let pictures = try PictureFolder.names(in: images).map { images + "/" + $0 }
      for index in 0..<max(asked.count, pictures.count) {
        prompts.append(
          .question(picture: pictures[index % pictures.count], question: asked[index % asked.count]))
      }
      paths += [questions] + pictures
    }
    if let items {
      let list = try EvaluationItem.load(items, limit: limit)
      prompts += list.map { .item($0) }
      paths += [items] + list.flatMap(\.pictures)
    }
    if let text {
      guard let data = FileManager.default.contents(atPath: text) else {
        throw Failure(.noInput, "\(text): no such file, or not readable", "give a file of text")
      }
      guard let content = String(validating: ByteOrderMark.dropped(from: data), as: UTF8.self) else {
        throw Failure(.badData, "\(text): not UTF-8 text", "give a file of text")
      }
      self.text = content
      paths.append(text)
    }
  }

  /// The prompts, with the text cut into pieces.
  ///
  /// - Throws: `Failure` where nothing is left to read.
  func prepared(for model: Model) throws -> [Prompt] {
    var all = prompts
    if let text {
      let tokens = model.tokenizer.encode(text, trusted: false)
      let length = min(Self.pieceTokens, model.contextLength) - 1
      for first in stride(from: 0, to: tokens.count, by: length) {
        let piece = Array(tokens[first..<min(tokens.count, first + length)])
        if piece.count < Self.fewestTokens { continue }
        all.append(.text(tokens: piece, number: first / length + 1))
      }
    }
    guard !all.isEmpty else {
      throw Failure(.badData, "the text has fewer than \(Self.fewestTokens) tokens", "give a longer one")
    }
    return Array(all.prefix(limit ?? .max))
  }

  /// SHA-256 of everything that is read, and of how. Names do not count.
  ///
  /// - Throws: `PictureError` and `InputError` for a picture that cannot be read.
  func hash(settings: String) throws -> String {
    let all = SHA256()
    func append(_ text: String) {
      Array("\(text.utf8.count) \(text)\n".utf8).withUnsafeBytes { all.append($0) }
    }
    var pictures: [String: String] = [:]
    func append(picture path: String) throws {
      if pictures[path] == nil {
        // A picture that cannot be read is found before the work, not after hours of it.
        _ = try Picture(contentsOf: path, background: background)
        let file = try InputFile(path: path)
        pictures[path] = try file.bytes(0..<file.length).withUnsafeBytes { sha256Hexadecimal($0) }
      }
      append(pictures[path] ?? "")
    }
    append("\(settings) \(background) \(limit ?? 0)")
    for prompt in prompts {
      switch prompt {
      case .question(let picture, let question):
        try append(picture: picture)
        append(question)
      case .item(let item):
        for picture in item.pictures { try append(picture: picture) }
        for turn in item.turns { append("\(turn.role.rawValue) \(turn.text)") }
      case .text: break
      }
    }
    append(text ?? "")
    return all.finish()
  }
}

import VL2Base
import VL2Frames
import VL2Run

extension WatchConfiguration {
  /// No configuration is as long.
  private static let mostBytes = 1 << 20

  /// Reads a configuration file, all of which is checked: keys, values, schemas.
  ///
  /// - Throws: `InputError`, `FileError` with the line of what is wrong, `SchemaError`.
  package init(contentsOf path: String) throws {
    let file = try InputFile(path: path)
    guard file.length <= Self.mostBytes else {
      throw FileError(.badData, path, "it is over 1 MiB long", "give a configuration")
    }
    let text = ByteOrderMark.dropped(from: try file.bytes(0..<file.length))
    guard String(validating: text, as: UTF8.self) != nil else {
      throw FileError(.badData, path, "it is not UTF-8 text", "save it as UTF-8")
    }
    try self.init(Array(text), path: path)
  }

  package init(_ text: [UInt8], path: String) throws {
    self.init()
    let root = ConfigurationFields(try ConfigurationNode.read(text, path: path), path: path)
    for (key, value) in try root.members() {
      switch key {
      case "camera": camera = try value.text()
      case "size": wish.size = try value.size()
      case "rate": wish.rate = try value.number(0.1...240)
      case "format": wish.format = try value.cameraFormat()
      case "region": region = try value.region()
      case "mask": mask = try value.list().map { try $0.region() }
      case "reuse":
        let text = try value.text()
        guard let reuse = TileReuse(text) else {
          throw value.error("reuse: \(UntrustedText.quoted(text))", "give \(TileReuse.form)")
        }
        self.reuse = reuse
      case "on_change": asksOnChange = try value.yesOrNo()
      case "every": every = try value.seconds(0.1...86_400)
      case "looks_per_second": looksPerSecond = try value.number(0.01...30)
      case "settle_frames": settlingFrames = try value.whole(1...100)
      case "hung_after": hungAfter = try value.seconds(1...86_400)
      case "frozen_after": frozenAfter = try value.text() == "never" ? nil : try value.seconds(1...86_400)
      case "from_start": fromStart = try value.yesOrNo()
      case "exec": action = try value.text()
      case "exec_seconds": actionSeconds = try value.seconds(0.1...3600)
      case "keep": keeping = try value.keeping()
      case "questions": questions = try value.list().map { try WatchQuestion($0) }
      default: throw value.unknown(key)
      }
    }
    if camera.isEmpty {
      throw root.error("there is no 'camera'", "say what to look at, as 'camera: rtsp://…'")
    }
    if questions.isEmpty { throw root.error("there are no 'questions'", "write at least one") }
    // Elsewhere somebody can ask: on standard input, or over HTTP.
    if !asksOnChange, every == nil, camera == "-" {
      throw root.error(
        "'on_change: no' without 'every' never asks where the camera is standard input",
        "give 'every: 30s', or leave it out")
    }
    var names: Set<String> = []
    for question in questions where !names.insert(question.name).inserted {
      throw root.error(
        "two questions are called \(UntrustedText.quoted(question.name))", "give each a name of its own")
    }
  }
}

extension WatchQuestion {
  fileprivate init(_ fields: ConfigurationFields) throws {
    self.init(name: "", text: "")
    var choices: [String]?
    var description: String?
    var schema: JSONSchema?
    for (key, value) in try fields.members() {
      switch key {
      case "name": name = try value.text()
      case "ask": text = try value.text()
      case "find": description = try value.text()
      case "choices":
        let texts = try value.list().map { try $0.text() }
        do { try ChoiceScores.check(texts) } catch {
          throw value.error("choices are two texts or more, each once", "write them as [open, shut]")
        }
        choices = texts
      case "schema": schema = try JSONSchema(contentsOf: try value.file())
      case "min_probability": leastProbability = try value.number(0...1)
      case "tell":
        let word = try value.text()
        guard let telling = Telling(rawValue: word) else {
          throw value.error("tell: \(UntrustedText.quoted(word))", "give 'changes' or 'always'")
        }
        self.telling = telling
      case "hold_frames": holds = try value.whole(1...1000)
      case "max_tokens": maxTokens = try value.whole(1...4096)
      default: throw value.unknown(key)
      }
    }
    if let description {
      if !text.isEmpty || choices != nil || schema != nil {
        throw fields.error("'find' with 'ask', 'choices' or 'schema'", "leave one of them out")
      }
      (text, finds) = (description, true)
    }
    if text.isEmpty { throw fields.error("the question has no 'ask'", "write what to ask") }
    if name.isEmpty { throw fields.error("the question has no 'name'", "give one; answers are told with it") }
    if choices != nil, schema != nil {
      throw fields.error("'choices' with 'schema'", "leave one of them out")
    }
    if choices == nil, leastProbability > 0 {
      throw fields.error("'min_probability' without 'choices'", "leave it out")
    }
    if let choices { form = .choices(choices) }
    if let schema { form = .schema(schema) }
  }
}

/// A value of a configuration file on its way to what it means.
private struct ConfigurationFields {
  let node: ConfigurationNode
  let path: String
  /// The line that errors name: of a member, its key's.
  let line: Int
  /// The key that it stands for; empty for a list's element and the whole.
  let key: String

  init(_ node: ConfigurationNode, path: String, line: Int? = nil, key: String = "") {
    self.node = node
    self.path = path
    self.line = line ?? node.line
    self.key = key
  }

  func error(_ reason: String, _ hint: Hint) -> FileError {
    FileError(.badData, path, line: line, reason, hint)
  }

  private func wrong(_ what: String, _ hint: Hint) -> FileError {
    error(key.isEmpty ? what : "\(key): \(what)", hint)
  }

  func unknown(_ key: String) -> FileError {
    error("\(UntrustedText.quoted(key)) is no key that is known here", "docs/WATCHING.md lists them")
  }

  func members() throws(FileError) -> [(String, ConfigurationFields)] {
    guard case .map(let members) = node.value else {
      throw wrong("no keys with values", "write 'key: value'")
    }
    return members.map { ($0.key, ConfigurationFields($0.value, path: path, line: $0.line, key: $0.key)) }
  }

  func list() throws(FileError) -> [ConfigurationFields] {
    guard case .list(let elements) = node.value else {
      throw wrong("no list", "write [a, b], or a line '- a' for each")
    }
    return elements.map { ConfigurationFields($0, path: path) }
  }

  func text() throws(FileError) -> String {
    guard case .text(let text) = node.value else {
      throw wrong("no text", "write a text; quote one with special characters")
    }
    guard !text.allSatisfy(\.isWhitespace) else { throw wrong("empty", "write something, or leave it out") }
    return text
  }

  /// A file beside the configuration.
  func file() throws(FileError) -> String {
    let name = try text()
    let folder = PathText.folder(of: path)
    return name.hasPrefix("/") || folder.isEmpty ? name : "\(folder)/\(name)"
  }

  func yesOrNo() throws(FileError) -> Bool {
    switch try text() {
    case "yes", "true": true
    case "no", "false": false
    case let word: throw wrong(UntrustedText.quoted(word), "give yes or no")
    }
  }

  func region() throws(FileError) -> FrameRegion {
    let text = try text()
    guard let region = FrameRegion(text) else {
      throw wrong(UntrustedText.quoted(text), "give LEFT,TOP,WIDTH,HEIGHT in pixels, in quotes")
    }
    return region
  }

  func keeping() throws(FileError) -> FrameKeeping {
    var folder: String?
    var keeping = FrameKeeping(folder: "")
    for (key, value) in try members() {
      switch key {
      case "folder": folder = try value.file()
      case "bytes": keeping.bytes = try value.bytes()
      case "age": keeping.age = try value.seconds(1...3_153_600_000)
      default: throw value.unknown(key)
      }
    }
    guard let folder else { throw wrong("no 'folder'", "write 'folder: FOLDER' below it") }
    keeping.folder = folder
    return keeping
  }

  func bytes() throws(FileError) -> Int {
    let text = try text()
    guard let size = ByteSize(text), size.bytes > 0 else {
      throw wrong(UntrustedText.quoted(text), "give a number of bytes as 200M or 1G")
    }
    return size.bytes
  }

  func size() throws(FileError) -> CameraSize {
    let text = try text()
    guard let size = CameraSize(text) else {
      throw wrong(UntrustedText.quoted(text), "give WIDTHxHEIGHT in pixels, as 1280x720")
    }
    return size
  }

  func cameraFormat() throws(FileError) -> CameraFormat {
    let text = try text()
    guard let format = CameraFormat(rawValue: text) else {
      throw wrong(UntrustedText.quoted(text), "give mjpeg, yuyv or nv12")
    }
    return format
  }

  func number(_ range: ClosedRange<Double>) throws(FileError) -> Double {
    let text = try text()
    guard let number = Double(text), range.contains(number) else {
      throw wrong(
        UntrustedText.quoted(text),
        "give a number from \(NumberText.general(range.lowerBound)) to \(NumberText.general(range.upperBound))"
      )
    }
    return number
  }

  func whole(_ range: ClosedRange<Int>) throws(FileError) -> Int {
    let text = try text()
    guard let number = Int(text), range.contains(number) else {
      throw wrong(
        UntrustedText.quoted(text), "give a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func seconds(_ range: ClosedRange<Double>) throws(FileError) -> Double {
    let text = try text()
    guard let seconds = DurationText.seconds(text), range.contains(seconds) else {
      throw wrong(
        UntrustedText.quoted(text),
        "give a time as 30s, 5m or 1h, from \(NumberText.general(range.lowerBound)) s to \(NumberText.general(range.upperBound)) s"
      )
    }
    return seconds
  }
}

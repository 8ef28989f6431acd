import VL2Base

/// How things stand with a camera and its questions, kept from the lines that its loop tells. It has one answer for each
/// question, and so does not grow.
struct LiveStatus {
  private struct Standing {
    let name: String
    let text: String
    /// The last line that was told; nil before the first.
    var answer: JSONValue?
    /// Whether the answer still stands.
    var holds = false
  }

  private struct Trouble {
    var name: String
    var message: String?
    /// When it began, as lines say it.
    var since: String?
  }

  private var standings: [Standing]
  /// The camera gives nothing.
  private var missing: Trouble?
  /// It gives pictures in which nothing can be seen, or of another size.
  private var blind: Trouble?
  private var hasFrame = false
  private var end: Trouble?
  /// Why the question at work was asked; nil where none is.
  var asking: String?

  /// - Parameter questions: in the order in which they are shown.
  init(questions: [(name: String, text: String)]) {
    standings = questions.map { Standing(name: $0.name, text: $0.text) }
  }

  /// What every camera is at some time.
  static let cameras = ["starting", "seeing", "gone", "hung", "frozen", "dark", "outside", "ended"]

  /// In one word, one of `cameras`.
  var camera: String { trouble?.name ?? (hasFrame ? "seeing" : "starting") }

  private var trouble: Trouble? { end ?? missing ?? blind }

  /// A frame is there.
  ///
  /// - Returns: whether that changes anything.
  mutating func seeFrame() -> Bool {
    defer { hasFrame = true }
    // There is no word for a region that lies on the picture again.
    guard blind?.name == "outside" else { return !hasFrame }
    blind = nil
    return true
  }

  /// Takes a line as `vl2 watch` writes it.
  ///
  /// - Returns: whether it changes anything.
  mutating func take(_ line: JSONValue) -> Bool {
    let event = line.member("event")?.liveText
    let question = line.member("question")?.liveText
    let index = standings.firstIndex { $0.name == question }
    guard let event else {
      guard let index else { return false }
      standings[index].answer = line
      standings[index].holds = line.member("answer").map { $0 != .null } ?? false
      return true
    }
    let trouble = Trouble(
      name: event, message: line.member("message")?.liveText, since: line.member("time")?.liveText)
    switch event {
    case "gone", "hung": missing = trouble
    case "dark", "frozen", "outside": blind = trouble
    // A camera that gives pictures again may still see nothing in them, and says so only once.
    case "back": if missing == nil { blind = nil } else { missing = nil }
    case "ended": (end, asking) = (trouble, nil)
    case "failed":
      guard let index else { return false }
      standings[index].holds = false
    default: return false
    }
    return true
  }

  /// - Parameter holds: whether the answer that was told last is the answer about the newest frame that was asked about.
  /// - Returns: whether that changes anything.
  mutating func judge(_ question: String, holds: Bool) -> Bool {
    guard let index = standings.firstIndex(where: { $0.name == question }), standings[index].holds != holds
    else { return false }
    standings[index].holds = holds
    return true
  }

  var json: JSONValue {
    var json: JSONValue = ["camera": .text(camera)]
    if let message = trouble?.message { json.append("message", .text(message)) }
    if let since = trouble?.since { json.append("since", .text(since)) }
    json.append("asking", asking.map { JSONValue.text($0) } ?? .null)
    json.append(
      "questions",
      .array(
        standings.map { standing in
          var json: JSONValue = ["name": .text(standing.name), "ask": .text(standing.text)]
          if let answer = standing.answer { json.append("last", answer) }
          json.append("holds", .bool(standing.holds))
          return json
        }))
    return json
  }
}

extension JSONValue {
  /// The text that it is; nil for other values.
  fileprivate var liveText: String? {
    guard case .string(let bytes) = self else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
